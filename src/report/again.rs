//! A stored run, judged again.

use std::{collections::HashMap, sync::Arc};

use super::json::{CaseReport, Report};
use crate::{
    event::{CaseResult, Event, RunFinished, RunStarted},
    judge::{self, Finding, Policy, Verdict},
    observation::Observation,
};

/// A stored run as it is judged now.
pub struct Again {
    /// What a reporter is told, as if the run were being made.
    pub events: Vec<Event>,
    /// The cases whose findings are others than those that the report holds.
    pub differences: Vec<Departure>,
}

/// How the findings of one case differ from those of the report. A rule whose level is another one is
/// both new and gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    /// The case's id.
    pub case: String,
    /// Found now, and not then: `status.timeout (required)`.
    pub new: Vec<String>,
    /// Found then, and not now.
    pub gone: Vec<String>,
}

/// Judges every case of a report by `policy`.
///
/// Snapshots are left out: a case keeps what the report says of it where its findings are the same.
pub fn judge_again(report: &Report, policy: &Policy) -> Again {
    let mut differences = Vec::new();
    let started = RunStarted {
        cases: report.cases.len(),
        proxy: report.proxy.name.clone(),
        proxy_version: report.proxy.version.clone(),
        seed: report.seed,
        policy: Box::new(policy.clone()),
    };
    let mut events = vec![Event::RunStarted(started)];
    // Of what could not be told then nothing can be told now.
    let told: HashMap<&str, &Observation> = report
        .cases
        .iter()
        .filter(|case| case.verdict.is_of_findings())
        .filter_map(|case| Some((case.id.as_str(), case.observation.as_ref()?)))
        .collect();
    for case in &report.cases {
        let (result, departure) = case_again(case, &told, policy);
        differences.extend(departure);
        events.push(Event::CaseFinished(Arc::new(result)));
    }
    let summary = &report.summary;
    events.push(Event::RunFinished(RunFinished {
        interrupted: summary.interrupted,
        wall_ms: summary.wall_ms,
        total_ms: summary.total_ms,
        log_leaks: report.log_leaks.clone(),
        stops: report.stops.clone(),
        ..RunFinished::default()
    }));
    Again { events, differences }
}

/// `told` are the cases that others are held against.
fn case_again(
    case: &CaseReport,
    told: &HashMap<&str, &Observation>,
    policy: &Policy,
) -> (CaseResult, Option<Departure>) {
    let stored = CaseResult {
        id: case.id.clone(),
        scenario: case.scenario.clone(),
        title: case.title.clone(),
        file: case.file.clone(),
        why: case.why.clone(),
        combination: case.matrix,
        verdict: case.verdict,
        reason: case.reason.clone(),
        findings: case.findings.clone(),
        change: case.change.clone(),
        observation: case.observation.clone(),
        duration_ms: case.duration_ms,
    };
    let Some(observation) = told.get(case.id.as_str()) else { return (stored, None) };
    let siblings =
        observation.arrangement.held_against.iter().filter_map(|id| told.get(id.as_str()).copied());
    let findings = judge::judge_beside(observation, &siblings.collect::<Vec<_>>(), policy);
    let lacks = |from: &[Finding], of: &[Finding]| -> Vec<String> {
        let missing = from.iter().filter(|one| !of.iter().any(|other| named(other) == named(one)));
        missing.map(named).collect()
    };
    let departure = Departure {
        case: case.id.clone(),
        new: lacks(&findings, &case.findings),
        gone: lacks(&case.findings, &findings),
    };
    if departure.new.is_empty() && departure.gone.is_empty() {
        return (CaseResult { findings, ..stored }, None);
    }
    let anew = departure.new.iter().any(|name| name.ends_with("(required)"));
    let verdict = match (judge::has_required(&findings), case.verdict) {
        (false, _) => Verdict::Pass,
        // What the accepted snapshot holds, it holds under another policy too.
        (true, Verdict::Known) if !anew => Verdict::Known,
        (true, _) => Verdict::Fail,
    };
    (CaseResult { verdict, findings, change: None, ..stored }, Some(departure))
}

fn named(finding: &Finding) -> String {
    format!("{} ({})", finding.rule, finding.level)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::tests::any::observation, observation::Outcome, report::terminal::tests::failing,
        scenario::Level,
    };

    fn report(case: CaseReport) -> Report {
        Report {
            schema: 1,
            upfault: "0".to_owned(),
            seed: 0,
            policy: "default".to_owned(),
            judged_by: Some(Policy::default()),
            proxy: super::super::json::ProxyReport::default(),
            rerun: None,
            cases: vec![case],
            log_leaks: Vec::new(),
            stops: Vec::new(),
            summary: super::super::Summary::default(),
        }
    }

    fn stored() -> CaseReport {
        let mut case = CaseReport::new(&failing("limits/rate-limit"));
        case.findings = judge::judge(case.observation.as_ref().unwrap(), &Policy::default());
        case
    }

    fn finished(again: &Again) -> &CaseResult {
        let Event::CaseFinished(case) = &again.events[1] else { panic!("no case") };
        case
    }

    #[test]
    fn the_same_policy_says_the_same() {
        let case = stored();
        assert!(judge::has_required(&case.findings), "{:?}", case.findings);
        let again = judge_again(&report(case.clone()), &Policy::default());
        assert_eq!(again.differences, []);
        assert_eq!(finished(&again).findings, case.findings);
        assert_eq!(finished(&again).verdict, case.verdict);
    }

    #[test]
    fn what_another_policy_finds_and_does_not_find_is_named() {
        let mut policy = Policy::default();
        let case = stored();
        for finding in &case.findings {
            let text = format!("levels: {{{}: lifted}}\n", finding.rule);
            policy.levels.extend(Policy::from_text("p", &text).unwrap().levels);
        }
        let again = judge_again(&report(case.clone()), &policy);
        let gone: Vec<String> = case.findings.iter().map(named).collect();
        assert_eq!(
            again.differences,
            [Departure { case: case.id.clone(), new: Vec::new(), gone: gone.clone() }]
        );
        assert_eq!(finished(&again).verdict, Verdict::Pass);
        // And the other way about.
        let lenient = CaseReport { findings: Vec::new(), verdict: Verdict::Pass, ..case };
        let again = judge_again(&report(lenient), &Policy::default());
        assert_eq!(again.differences[0].new, gone);
        assert_eq!(finished(&again).verdict, Verdict::Fail);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 200, ..Default::default() })]

        /// Through the report and its JSON, with placeholders in the place of secrets; beside a sibling too.
        #[test]
        fn whatever_was_seen_is_judged_from_a_stored_run_as_it_was_live(
            mut seen in observation(),
            mut other in observation(),
        ) {
            seen.arrangement.combination.stream = true;
            other.arrangement = seen.arrangement.clone();
            other.arrangement.combination.stream = false;
            other.arrangement.identity.token = "other".to_owned();
            seen.arrangement.held_against = vec!["plain".to_owned()];
            let mut plain = failing("plain");
            plain.observation = Some(other.clone());
            for policy in Policy::all() {
                plain.findings = judge::judge(&other, &policy);
                let mut live = failing("stream");
                live.findings = judge::judge_beside(&seen, &[&other], &policy);
                live.observation = Some(seen.clone());
                let cases = vec![CaseReport::new(&live), CaseReport::new(&plain)];
                let written = Report { cases, ..report(stored()) };
                let stored = serde_json::to_string(&written).unwrap();
                let read: Report = serde_json::from_str(&stored).unwrap();
                proptest::prop_assert_eq!(judge_again(&read, &policy).differences, []);
            }
        }
    }

    #[test]
    fn what_is_known_stays_known_and_what_could_not_be_told_stays_so() {
        let mut known = stored();
        known.verdict = Verdict::Known;
        known.findings.push(Finding {
            rule: "status.timeout".to_owned(),
            level: Level::Required,
            expected: String::new(),
            observed: String::new(),
            evidence: Vec::new(),
        });
        let again = judge_again(&report(known.clone()), &Policy::default());
        assert_eq!(again.differences[0].gone, ["status.timeout (required)"]);
        assert_eq!(finished(&again).verdict, Verdict::Known);
        known.verdict = Verdict::Inconclusive;
        let again = judge_again(&report(known), &Policy::default());
        assert_eq!((again.differences.len(), finished(&again).verdict), (0, Verdict::Inconclusive));
    }

    #[test]
    fn a_case_is_held_against_its_sibling_again_as_far_as_that_could_be_told() {
        let mut stream = stored();
        let mut plain = CaseReport::new(&failing("limits/rate-limit[plain]"));
        plain.observation.clone_from(&stream.observation);
        let seen = stream.observation.as_mut().unwrap();
        seen.arrangement.combination.stream = true;
        seen.arrangement.held_against = vec![plain.id.clone()];
        let Outcome::Answer(answer) = &mut seen.exchanges[0].outcome else { panic!("no answer") };
        answer.status = 500;
        let mut beside = |verdict| {
            plain.verdict = verdict;
            let report = Report { cases: vec![stream.clone(), plain.clone()], ..report(stream.clone()) };
            let again = judge_again(&report, &Policy::default());
            finished(&again).findings.iter().any(|finding| finding.rule == "sibling.stream-status")
        };
        assert!(beside(Verdict::Known));
        assert!(!beside(Verdict::Inconclusive));
    }
}
