//! Turns an observation into the result of a case: judges it and compares it with the accepted snapshot.

use std::collections::{BTreeSet, HashMap};

use super::{error::RunError, settings::RunSettings};
use crate::{
    event::{Baseline, CaseReport},
    judge::{ComparedSibling, Finding, Policy, Verdict, has_timing, stops_the_proxy},
    observation::Observation,
    scenario::{Case, KnownEntry},
    snapshot::{
        Accepted, CaseSnapshot, CaseVerdict, Difference, DifferenceKind, KnownClaim, SnapshotFile,
        SnapshotPlace, diff, judge_case,
    },
};

/// The accepted snapshots, the known findings and the policy.
pub(super) struct JudgingContext {
    accepted: HashMap<String, SnapshotFile>,
    baseline: Baseline,
    /// For each case, the known findings that name it.
    known: HashMap<String, Vec<KnownClaim>>,
    policy: Policy,
    strict: bool,
    records: bool,
}

/// The judgement of an observation.
pub(super) struct JudgedLook {
    /// The verdict.
    pub verdict: Verdict,
    /// The findings.
    pub findings: Vec<Finding>,
    /// The difference from the accepted snapshot.
    pub change: Option<Difference>,
    /// The contents of the accepted snapshot.
    pub accepted: Accepted,
    /// The known findings that name the case.
    pub known: Vec<KnownClaim>,
    /// The required rules that fail the case.
    pub unaccepted: Vec<String>,
    /// The snapshot of the observation.
    pub snapshot: CaseSnapshot,
}

impl JudgedLook {
    /// Whether a finding depends on timing.
    pub(super) fn is_about_time(&self) -> bool {
        has_timing(&self.findings)
    }

    /// Whether it breaks this rule.
    pub(super) fn breaks(&self, rule: &str) -> bool {
        self.findings.iter().any(|finding| finding.rule == rule)
    }

    /// Whether both have the same snapshot and the same broken rules.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let rules = |judged: &Self| -> Vec<String> {
            judged.findings.iter().map(|finding| finding.rule.clone()).collect()
        };
        self.snapshot.text == other.snapshot.text && rules(self) == rules(other)
    }

    /// Whether the result is new: it differs from the accepted snapshot, or there is none and it breaks a rule.
    pub(super) fn is_news(&self) -> bool {
        self.change.as_ref().map_or(self.verdict == Verdict::Fail, Difference::is_change)
    }

    /// The kind of its change, which other cases can confirm. `None` if there is nothing that they could confirm.
    pub(super) fn change_kind(&self) -> Option<DifferenceKind> {
        let change = self.change.as_ref().filter(|change| change.is_change())?;
        (!self.contradicts_an_entry()).then(|| change.kind())
    }

    /// Whether a known finding does not occur as its entry says, which fails the case.
    pub(super) fn contradicts_an_entry(&self) -> bool {
        self.known.iter().any(KnownClaim::is_wrong)
    }
}

impl JudgingContext {
    /// Loads the accepted snapshots of all scenarios, so that a damaged one is reported before the run starts.
    pub(super) fn load(settings: &RunSettings) -> Result<Self, RunError> {
        let RunSettings { cases, store, policy, strict, .. } = settings;
        let mut accepted = HashMap::new();
        let mut baseline = Baseline { folder: settings.shown(store.folder()), ..Baseline::default() };
        let scenarios: BTreeSet<&str> = cases.iter().map(|case| case.scenario.id.as_str()).collect();
        for id in scenarios {
            let Some((file, place)) = store.load_from(id)? else { continue };
            match place {
                SnapshotPlace::Folder => baseline.own += 1,
                SnapshotPlace::Bundled => baseline.bundled += 1,
            }
            baseline.proxies.extend(file.origin.proxies.iter().cloned());
            accepted.insert(id.to_owned(), file);
        }
        let known = claims(settings);
        Ok(Self {
            accepted,
            baseline,
            known,
            policy: policy.clone(),
            strict: *strict,
            records: store.accepts(),
        })
    }

    /// Whether the run accepts what it observes, so that each case must show all of its forms.
    pub(super) fn records(&self) -> bool {
        self.records
    }

    /// Where the accepted snapshots come from.
    pub(super) fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Whether the accepted snapshot says that a case stops the proxy.
    pub(super) fn is_known_to_stop_the_proxy(&self, case: &Case) -> bool {
        self.forms(case).any(|form| form.findings.iter().any(|finding| stops_the_proxy(&finding.rule)))
    }

    /// All accepted forms of a case.
    pub(super) fn forms(&self, case: &Case) -> impl Iterator<Item = &CaseSnapshot> {
        self.accepted.get(&case.scenario.id).into_iter().flat_map(|file| file.forms(&case.id))
    }

    /// Judges the observation of a case, including the comparison with its siblings.
    pub(super) fn judge(
        &self,
        case: &Case,
        observation: &Observation,
        siblings: &[ComparedSibling<'_>],
    ) -> JudgedLook {
        let seen = CaseSnapshot::new(&case.id, observation);
        let same_text = self.forms(case).find(|form| form.text == seen.text);
        let held = same_text.or_else(|| self.forms(case).next());
        let accepted = held.map_or(Accepted::Nothing, |held| Accepted::Findings(held.findings.clone()));
        let diff = held.map(|held| diff(&held.text, &seen.text)).unwrap_or_default();
        let claims = self.known.get(&case.id).map_or(&[][..], Vec::as_slice);
        let CaseVerdict { verdict, findings, change, to_hold, known, unaccepted } =
            judge_case(observation, siblings, &self.policy, &accepted, &diff, claims, self.strict);
        let snapshot = seen.holding(observation, to_hold);
        JudgedLook { verdict, findings, change, accepted, known, unaccepted, snapshot }
    }
}

/// For each case, the known findings of its scenario and of the project that name it and the tested proxy.
fn claims(settings: &RunSettings) -> HashMap<String, Vec<KnownClaim>> {
    let RunSettings { cases, proxy, known, compared_as, .. } = settings;
    let (name, version) = compared_as.clone().unwrap_or_else(|| (proxy.name(), proxy.version()));
    let mut claims: HashMap<String, Vec<KnownClaim>> = HashMap::new();
    let mut add = |entry: &KnownEntry, among: &[Case]| {
        if entry.proxy != name {
            return;
        }
        for case in entry.select(among) {
            let claim = KnownClaim::new(entry, version.as_deref());
            claims.entry(case.id.clone()).or_default().push(claim);
        }
    };
    for of_scenario in cases.chunk_by(|a, b| a.scenario.id == b.scenario.id) {
        let entries = of_scenario.first().map(|case| &case.scenario.known);
        entries.into_iter().flatten().for_each(|entry| add(entry, of_scenario));
    }
    known.iter().for_each(|entry| add(entry, cases));
    claims
}

/// The result of a case that was not judged, with the reason.
pub(super) fn unjudged(
    case: &Case,
    verdict: Verdict,
    reason: String,
    observation: Option<Observation>,
) -> CaseReport {
    incomplete(case, verdict, reason, observation).completed()
}

fn incomplete(case: &Case, verdict: Verdict, reason: String, observation: Option<Observation>) -> CaseReport {
    CaseReport {
        id: case.id.clone(),
        scenario: case.scenario.id.clone(),
        title: case.scenario.title.clone(),
        file: case.scenario.file.clone(),
        line: case.scenario.line,
        why: case.scenario.why.clone(),
        matrix: case.combination,
        tags: case.scenario.tags.clone(),
        level: case.scenario.level,
        speedup: case.scenario.speedup,
        verdict,
        reason: Some(reason),
        findings: Vec::new(),
        change: None,
        accepted: None,
        known: Vec::new(),
        origins: Vec::new(),
        sdk_view: Vec::new(),
        facts: None,
        compared_with: Vec::new(),
        timer_error_ms: 0.0,
        alone_ms: 0.0,
        duration_ms: observation.as_ref().map_or(0.0, duration_ms),
        observation: observation.map(Box::new),
    }
}

/// The result of a case that was judged.
pub(super) fn judged(
    case: &Case,
    judged: JudgedLook,
    observation: Observation,
    reason: Option<String>,
) -> CaseReport {
    let judged = CaseReport {
        verdict: judged.verdict,
        reason,
        findings: judged.findings,
        change: judged.change.filter(|change| !change.is_empty()),
        accepted: Some(judged.accepted),
        known: judged.known,
        ..incomplete(case, Verdict::Pass, String::new(), Some(observation))
    };
    judged.completed()
}

/// Milliseconds from the first request of a case to its last byte.
fn duration_ms(observation: &Observation) -> f64 {
    observation.exchanges.iter().map(|exchange| exchange.end_ms).fold(0.0, f64::max)
}
