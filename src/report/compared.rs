//! A stored run as a comparison needs it.

use std::collections::BTreeSet;

use super::{json::Report, rejudge::judge_again};
use crate::{
    compare::{CaseFacts, CaseState, ComparedCase},
    event::{CaseReport, Event},
    judge::{Policy, Verdict, origins, sdk_view},
    scenario::Level,
};

/// The cases of a report, judged again by `policy`. Accepted snapshots do not matter.
pub(crate) fn compared_cases(report: &Report, policy: &Policy) -> Vec<ComparedCase> {
    let of =
        |event: Event| if let Event::CaseFinished(case) = event { Some(compared_case(&case)) } else { None };
    judge_again(report, policy).events.into_iter().filter_map(of).collect()
}

/// How many cases keep the judgement of the report, because it does not contain what the judgement depends on. None if
/// the same policy and the same version of upfault made it.
pub(crate) fn not_judged_again(report: &Report, policy: &Policy) -> usize {
    let as_before = report.judged_by.as_ref() == Some(policy) && report.upfault == env!("CARGO_PKG_VERSION");
    let is_judged = |case: &&CaseReport| case.verdict.is_of_findings() && case.observation.is_none();
    if as_before { 0 } else { report.cases.iter().filter(is_judged).count() }
}

fn compared_case(case: &CaseReport) -> ComparedCase {
    let reason = || case.reason.clone().unwrap_or_else(|| "no reason given".to_owned());
    // Facts of an older version may be written in another way, so the observation comes first.
    let facts = match &case.observation {
        Some(observation) => Some(CaseFacts::new(observation, &origins(observation), &sdk_view(observation))),
        None => case.facts.as_deref().cloned(),
    };
    let state = match (case.verdict, facts) {
        (Verdict::Skipped, _) => CaseState::Skipped(reason()),
        (Verdict::Inconclusive | Verdict::Broken, _) | (_, None) => CaseState::Unclear,
        (_, Some(facts)) => {
            let required = case.findings.iter().filter(|finding| finding.level == Level::Required);
            CaseState::Judged {
                broken: required.map(|finding| finding.rule.clone()).collect::<BTreeSet<_>>(),
                facts,
            }
        }
    };
    ComparedCase { id: case.id.clone(), scenario: case.scenario.clone(), combination: case.matrix, state }
}
