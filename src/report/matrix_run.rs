//! A run as the matrix of gateways needs it: brief results, and complete cases as evidence.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::Path,
};

use super::{
    RecordedRun,
    json::Report,
    paint::Painter,
    recorded_run::RunRecorder,
    rejudge::judge_again,
    terminal_case::{caller, named, upstream},
};
use crate::{
    event::{CaseReport, Event},
    judge::{Policy, Verdict, applicable},
    matrix::{BrokenRule, CaseResult, MatrixCase},
    observation::{Observation, StepName},
    scenario::Level,
    snapshot::{Accepted, KnownClaim},
};

/// The width of the text about the wire.
const WIDTH: usize = 110;

/// What shows that a gateway breaks a rule in a case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseEvidence {
    /// The command that runs the case again; empty if it is not known.
    pub again: String,
    /// Both sides of the wire, as lines; empty if they are not known.
    pub wire: String,
    /// Pages with more: the text and the target of each link.
    pub links: Vec<(String, String)>,
}

/// A run: the results for the matrix, and the complete cases in a temporary file.
pub(crate) struct MatrixRun {
    /// One result for each case.
    pub(crate) cases: Vec<MatrixCase>,
    /// The run, judged by the policy of the matrix.
    pub(crate) run: RecordedRun,
}

impl MatrixRun {
    /// Judges a stored run by `policy`. Complete cases are kept in an unnamed file in `folder`.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn new(report: &Report, policy: &Policy, folder: &Path) -> io::Result<Self> {
        let mut recorder = RunRecorder::new(folder, report.rerun.clone())?;
        let again = judge_again(report, policy);
        let judged: Vec<&CaseReport> = again.events.iter().filter_map(finished).collect();
        let cases = results(&judged, policy);
        let mut end = None;
        for event in &again.events {
            recorder.add(event)?;
            if let Event::RunFinished(finished) = event {
                end = Some(finished);
            }
        }
        let run = recorder.finish(end.unwrap_or(&Default::default()));
        Ok(Self { cases, run })
    }

    /// The evidence about a case; `None` if the run does not contain the case.
    ///
    /// # Errors
    ///
    /// If the complete case cannot be read.
    pub(crate) fn evidence(&self, id: &str) -> io::Result<Option<CaseEvidence>> {
        let Ok(at) = self.run.report.cases.binary_search_by(|case| case.id.as_str().cmp(id)) else {
            return Ok(None);
        };
        let case = self.run.complete(&self.run.report.cases[at])?;
        let again = self.run.report.rerun.iter().map(|rerun| rerun.command(&case).join(" ")).collect();
        let wire = match &case.observation {
            Some(seen) => wire(seen)?,
            None => String::new(),
        };
        Ok(Some(CaseEvidence { again, wire, links: Vec::new() }))
    }
}

fn finished(event: &Event) -> Option<&CaseReport> {
    match event {
        Event::CaseFinished(case) => Some(case),
        _ => None,
    }
}

/// The results of cases, whose siblings must be among them.
fn results(cases: &[&CaseReport], policy: &Policy) -> Vec<MatrixCase> {
    let judged = cases.iter().filter(|case| case.verdict.is_of_findings());
    let seen: HashMap<&str, &Observation> =
        judged.filter_map(|case| Some((case.id.as_str(), case.observation.as_deref()?))).collect();
    cases.iter().map(|case| MatrixCase { id: case.id.clone(), result: result(case, &seen, policy) }).collect()
}

fn result(case: &CaseReport, seen: &HashMap<&str, &Observation>, policy: &Policy) -> CaseResult {
    let reason = || case.reason.clone().unwrap_or_else(|| "no reason given".to_owned());
    if case.verdict == Verdict::Skipped {
        return CaseResult::Skipped(reason());
    }
    if !case.verdict.is_of_findings() {
        return CaseResult::Unclear(reason());
    }
    let siblings: Vec<&Observation> =
        case.compared_with.iter().filter_map(|id| seen.get(id.as_str()).copied()).collect();
    let applied: BTreeSet<String> = seen
        .get(case.id.as_str())
        .map(|own| applicable(own, &siblings, policy).into_iter().map(str::to_owned).collect())
        .unwrap_or_default();
    let explained =
        |rule: &str| case.known.iter().filter(|claim| claim.rule == rule).any(KnownClaim::explains);
    let accepted = |rule: &str| match &case.accepted {
        Some(Accepted::Findings(lines)) => lines.iter().any(|line| line.rule == rule),
        _ => false,
    };
    let broken = case.findings.iter().map(|finding| BrokenRule {
        rule: finding.rule.clone(),
        is_required: finding.level == Level::Required,
        is_known: explained(&finding.rule) || accepted(&finding.rule),
        expected: finding.expected.clone(),
        observed: finding.observed.clone(),
    });
    CaseResult::Judged { applied, broken: broken.collect() }
}

/// What the caller and the upstreams sent and got, without the request after the recovery.
fn wire(seen: &Observation) -> io::Result<String> {
    let mut out = Vec::new();
    let mut painter = Painter::new(&mut out, false, WIDTH);
    let steps = seen.exchanges.iter().filter(|exchange| exchange.step != StepName::Recovery);
    let several = steps.clone().count() > 1;
    for exchange in steps {
        if several {
            painter.raw(&named(exchange))?;
        }
        caller(&mut painter, exchange)?;
        let mut reached = false;
        for attempt in seen.attempts_of(exchange) {
            reached = true;
            upstream(&mut painter, attempt)?;
        }
        if !reached {
            painter.field(2, "upstream saw   ", "no request")?;
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}
