//! What the page shows before a case is opened: the runs, the rules, and one line for each case.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cut::beginning;
use crate::{
    event::CaseReport,
    judge::{self, Policy, Rule, Verdict},
    matrix::Matrix,
    report::{Report, stops::stop_lines},
    scenario::{Api, Level, Provider},
};

/// How many bytes of an observed behaviour or of a reason the index contains. The page of the case shows all of it.
const LINE: usize = 240;

/// The first of the embedded values. Each case has one result for each run, so that a page can show several runs.
#[derive(Debug, Serialize)]
pub(super) struct PageIndex {
    /// The version of upfault that wrote the page.
    upfault: &'static str,
    /// The runs, in the order of the results of a case.
    runs: Vec<PageRun>,
    /// Every rule of the contract, by its id.
    rules: BTreeMap<&'static str, PageRule>,
    /// The titles of the scenarios, by their ids.
    scenarios: BTreeMap<String, String>,
    /// The cases, sorted by id.
    cases: Vec<PageCase>,
    /// The rules and gateways, if the runs are those of several gateways.
    #[serde(skip_serializing_if = "Option::is_none")]
    matrix: Option<PageMatrix>,
}

/// The matrix of several gateways.
#[derive(Debug, Serialize)]
struct PageMatrix {
    #[serde(flatten)]
    matrix: Matrix,
    /// For each gateway the number of its run; null for one without results.
    runs: Vec<Option<usize>>,
}

/// One run.
#[derive(Debug, Serialize)]
struct PageRun {
    /// `litellm 1.102.4`.
    proxy: String,
    /// The policy that decided disputed questions.
    policy: String,
    seed: u64,
    /// Whether known findings failed cases.
    strict: bool,
    /// Whether it was stopped before every case had a verdict.
    interrupted: bool,
    /// From the start of the command to its end.
    total_ms: f64,
    /// What concerns the whole run: times at which the proxy stopped, secrets in its log.
    notes: Vec<String>,
}

/// A rule of the contract.
#[derive(Debug, Serialize)]
struct PageRule {
    level: Level,
    title: &'static str,
    reason: &'static str,
    references: &'static [&'static str],
    /// Whether it depends on timing.
    timing: bool,
    /// The questions of the policy that decide it: the key and the question.
    questions: Vec<(&'static str, &'static str)>,
}

/// One case.
#[derive(Debug, Serialize)]
struct PageCase {
    id: String,
    scenario: String,
    api: Api,
    provider: Provider,
    stream: bool,
    /// One for each run; null if the case was not part of the run.
    results: Vec<Option<PageResult>>,
}

/// The result of a case in one run.
#[derive(Debug, Serialize)]
struct PageResult {
    verdict: Verdict,
    ms: f64,
    /// The beginning of the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    findings: Vec<PageBreach>,
    /// The number of the part that contains the case in full.
    part: usize,
}

/// A rule that the proxy broke.
#[derive(Debug, Serialize)]
struct PageBreach {
    rule: String,
    level: Level,
    /// Whether the accepted snapshot does not contain it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    new: bool,
    /// The beginning of the observed behaviour.
    observed: String,
}

impl PageRun {
    fn of(report: &Report) -> Self {
        let leaks = report.log_leaks.iter().map(|leak| {
            format!(
                "the proxy's log {} contains {} (in {} lines, first in line {})",
                leak.log,
                leak.secret.describe(),
                leak.lines,
                leak.first_line
            )
        });
        Self {
            proxy: report.proxy.to_string(),
            policy: report.policy.clone(),
            seed: report.seed,
            strict: report.strict,
            interrupted: report.summary.interrupted,
            total_ms: report.summary.total_ms,
            notes: stop_lines(&report.stops).into_iter().chain(leaks).collect(),
        }
    }
}

impl PageRule {
    fn of(rule: &Rule) -> Self {
        Self {
            level: rule.level,
            title: rule.title,
            reason: rule.reason,
            references: rule.references,
            timing: rule.timing,
            questions: Policy::questions_of(rule.id).map(|question| (question.key, question.asks)).collect(),
        }
    }
}

impl PageIndex {
    /// An index without cases.
    pub(super) fn new() -> Self {
        Self {
            upfault: env!("CARGO_PKG_VERSION"),
            runs: Vec::new(),
            rules: judge::rules().map(|rule| (rule.id, PageRule::of(rule))).collect(),
            scenarios: BTreeMap::new(),
            cases: Vec::new(),
            matrix: None,
        }
    }

    /// Adds the matrix of the gateways; `has_run` says for each of them whether it has results.
    pub(super) fn add_matrix(&mut self, matrix: &Matrix, has_run: impl Iterator<Item = bool>) {
        let mut numbers = 0..;
        let runs = has_run.map(|has_run| if has_run { numbers.next() } else { None }).collect();
        self.matrix = Some(PageMatrix { matrix: matrix.clone(), runs });
    }

    /// Adds a run. The cases added after this belong to it.
    pub(super) fn add_run(&mut self, report: &Report) {
        self.runs.push(PageRun::of(report));
        for case in &mut self.cases {
            case.results.push(None);
        }
    }

    /// Adds a case of the last run; `part` contains it in full. Cases of one run come sorted by id.
    pub(super) fn add(&mut self, case: &CaseReport, part: usize) {
        let result = PageResult {
            verdict: case.verdict,
            ms: case.duration_ms,
            reason: case.reason.as_ref().map(|reason| beginning(reason, LINE).to_owned()),
            findings: case
                .findings
                .iter()
                .map(|finding| PageBreach {
                    rule: finding.rule.clone(),
                    level: finding.level,
                    new: case.change.as_ref().is_some_and(|change| change.is_new(&finding.rule)),
                    observed: beginning(&finding.observed, LINE).to_owned(),
                })
                .collect(),
            part,
        };
        self.scenarios.entry(case.scenario.clone()).or_insert_with(|| case.title.clone());
        let at = match self.cases.binary_search_by(|other| other.id.as_str().cmp(&case.id)) {
            Ok(at) => at,
            Err(at) => {
                let new = PageCase {
                    id: case.id.clone(),
                    scenario: case.scenario.clone(),
                    api: case.matrix.api,
                    provider: case.matrix.provider,
                    stream: case.matrix.stream,
                    results: self.runs.iter().map(|_| None).collect(),
                };
                self.cases.insert(at, new);
                at
            }
        };
        if let Some(last) = self.cases[at].results.last_mut() {
            *last = Some(result);
        }
    }

    /// `1661 cases: 1179 pass, 289 known`, for the last run.
    pub(super) fn counts(&self) -> String {
        let results: Vec<_> = self.cases.iter().filter_map(|case| case.results.last()?.as_ref()).collect();
        let count = |verdict: Verdict| results.iter().filter(|result| result.verdict == verdict).count();
        let counts: Vec<String> = Verdict::ALL
            .into_iter()
            .map(|verdict| (count(verdict), verdict))
            .filter(|(count, _)| *count > 0)
            .map(|(count, verdict)| format!("{count} {verdict}"))
            .collect();
        format!("{} cases: {}", results.len(), counts.join(", "))
    }
}
