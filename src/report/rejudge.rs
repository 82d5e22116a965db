//! Judges a stored run again.

use std::{collections::HashMap, sync::Arc};

use super::exit::ALLOWED_INCONCLUSIVE;
use super::json::Report;
use crate::{
    event::{CaseReport, Event, RunFinished, RunStarted},
    judge::{ComparedSibling, Finding, Policy, PolicyAnswer, Verdict, judge_by},
    observation::Observation,
    scenario::{Level, kin_by_id},
    snapshot::{Accepted, FindingLine, judge_case},
};

/// A stored run with new verdicts.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/rate-limit["));
/// let report = upfault::Suite::new(cases).proxy("builtin:retry-after-dropped")?.run().await?;
/// let again = report.judge_again(&upfault::Policy::known("strict")?);
/// assert!(again.differences.iter().all(|change| !change.case.is_empty()));
/// # Ok(())
/// # }
/// ```
pub struct Rejudgement {
    /// The events of the run, with the new verdicts, for a reporter.
    pub events: Vec<Event>,
    /// The cases whose findings or verdicts differ from those in the report.
    pub differences: Vec<JudgementChange>,
    /// How many cases keep their findings and verdicts because the report does not contain what was sent and received in
    /// them.
    pub without_exchanges: usize,
}

/// How the judgement of a case differs from the report. A finding whose level changed is both new and gone.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/rate-limit["));
/// let report = upfault::Suite::new(cases).proxy("builtin:retry-after-dropped")?.run().await?;
/// let again = report.judge_again(&upfault::Policy::known("strict")?);
/// for change in &again.differences {
///     println!("{}: new {:?}, gone {:?}", change.case, change.new, change.gone);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgementChange {
    /// The case's id.
    pub case: String,
    /// Findings that are not in the report: `status.timeout (required)`.
    pub new: Vec<String>,
    /// Findings in the report that the policy no longer makes.
    pub gone: Vec<String>,
    /// The verdict in the report and the new one; `None` if they are equal.
    pub verdict: Option<(Verdict, Verdict)>,
}

impl Report {
    /// Judges every case again by `policy`, as a run with this policy would: against the snapshots that were accepted
    /// at the time of the report. Cases that were not judged keep their verdicts.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use upfault::{Library, Policy, Suite};
    ///
    /// let cases = Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("status/"));
    /// let report = Suite::new(cases).run().await?;
    /// assert_eq!(report.judge_again(&Policy::default()).differences, []);
    /// # Ok(())
    /// # }
    /// ```
    pub fn judge_again(&self, policy: &Policy) -> Rejudgement {
        judge_again(self, policy)
    }
}

/// Judges every case of a report by `policy`, as a run with this policy would: against the snapshots that were
/// accepted at the time of the report, with the same strictness. Cases that were not judged keep their verdicts.
pub fn judge_again(report: &Report, policy: &Policy) -> Rejudgement {
    let mut differences = Vec::new();
    let started = RunStarted {
        cases: report.cases.len(),
        proxy: report.proxy.name.clone(),
        proxy_version: report.proxy.version.clone(),
        proxy_mode: report.proxy.mode.clone(),
        seed: report.seed,
        policy: Box::new(policy.clone()),
        strict: report.strict,
        allow_inconclusive: report.allow_inconclusive.unwrap_or(ALLOWED_INCONCLUSIVE),
        selection: report.selection.clone(),
        baseline: None,
    };
    let mut events = vec![Event::RunStarted(started)];
    let judged: HashMap<&str, &Observation> = report
        .cases
        .iter()
        .filter(|case| case.verdict.is_of_findings())
        .filter_map(|case| Some((case.id.as_str(), case.observation.as_deref()?)))
        .collect();
    for case in &report.cases {
        let (result, departure) = case_again(report, case, &judged, policy);
        differences.extend(departure);
        events.push(Event::CaseFinished(Arc::new(result)));
    }
    let summary = &report.summary;
    events.push(Event::RunFinished(RunFinished {
        interrupted: summary.interrupted,
        fail_fast: summary.fail_fast,
        gave_up: summary.gave_up,
        wall_ms: summary.wall_ms,
        total_ms: summary.total_ms,
        times: summary.times,
        log_leaks: report.log_leaks.clone(),
        stops: report.stops.clone(),
        ..RunFinished::default()
    }));
    let is_kept = |case: &&CaseReport| case.verdict.is_of_findings() && case.observation.is_none();
    let without_exchanges = report.cases.iter().filter(is_kept).count();
    Rejudgement { events, differences, without_exchanges }
}

/// `judged` contains the cases that can be compared with.
fn case_again(
    report: &Report,
    case: &CaseReport,
    judged: &HashMap<&str, &Observation>,
    policy: &Policy,
) -> (CaseReport, Option<JudgementChange>) {
    let Some(observation) = judged.get(case.id.as_str()) else { return (case.clone(), None) };
    let sibling = |id: &String| ComparedSibling {
        kin: kin_by_id(&case.scenario, observation.arrangement.combination, id),
        seen: judged.get(id.as_str()).copied(),
    };
    let siblings: Vec<_> = observation.arrangement.compared_with.iter().map(sibling).collect();
    let diff = case.change.as_ref().map_or("", |change| change.diff.as_str());
    let gathered = || gathered(case, &report.policy, observation, &siblings);
    let accepted = case.accepted.clone().unwrap_or_else(gathered);
    let now = judge_case(observation, &siblings, policy, &accepted, diff, &case.known, report.strict);
    let lacks = |from: &[Finding], of: &[Finding]| -> Vec<String> {
        let missing = from.iter().filter(|one| !of.iter().any(|other| named(other) == named(one)));
        missing.map(named).collect()
    };
    let departure = JudgementChange {
        case: case.id.clone(),
        new: lacks(&now.findings, &case.findings),
        gone: lacks(&case.findings, &now.findings),
        verdict: (now.verdict != case.verdict).then_some((case.verdict, now.verdict)),
    };
    let same = departure.new.is_empty() && departure.gone.is_empty() && departure.verdict.is_none();
    let result = CaseReport {
        verdict: now.verdict,
        findings: now.findings,
        known: now.known,
        change: now.change.filter(|change| !change.is_empty()),
        ..case.clone()
    };
    (result.completed(), (!same).then_some(departure))
}

/// Reconstructs what was accepted for a case of an older report, which was judged by `policy`.
fn gathered(
    case: &CaseReport,
    policy: &str,
    observation: &Observation,
    siblings: &[ComparedSibling<'_>],
) -> Accepted {
    if case.change.is_none() && case.verdict != Verdict::Known {
        return Accepted::Nothing;
    }
    let line = |rule: &str, level: Level| FindingLine {
        rule: rule.to_owned(),
        level,
        observed: String::new(),
        policy: Vec::new(),
    };
    let mut lines: Vec<FindingLine> = judge_by(observation, siblings, &Policy::default())
        .by_default
        .iter()
        .map(|finding| line(&finding.rule, finding.level))
        .collect();
    if let Some(change) = &case.change {
        for rule in &change.new_findings {
            if let Some(at) = lines.iter().position(|line| line.rule == *rule) {
                lines.swap_remove(at);
            }
        }
        lines.extend(change.vanished_findings.iter().map(|rule| line(rule, Level::Required)));
    }
    // A known finding was accepted, whichever policy made it.
    if case.verdict == Verdict::Known {
        let name = PolicyAnswer { key: "name".to_owned(), answer: policy.to_owned() };
        for Finding { rule, level, .. } in &case.findings {
            let known = line(rule, *level);
            if *level == Level::Required && !lines.contains(&known) {
                lines.push(FindingLine { policy: vec![name.clone()], ..known });
            }
        }
    }
    Accepted::Findings(lines)
}

fn named(finding: &Finding) -> String {
    format!("{} ({})", finding.rule, finding.level)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::{
        judge::{
            self,
            tests::arbitrary::{observation, policy},
        },
        observation::ExchangeOutcome,
        report::sample::failing,
        scenario::{SiblingKind, case_id},
        shard::RunSelection,
    };

    fn report(case: CaseReport) -> Report {
        Report {
            schema: 1,
            upfault: "0".to_owned(),
            seed: 0,
            policy: "default".to_owned(),
            judged_by: Some(Policy::default()),
            strict: false,
            allow_inconclusive: None,
            selection: RunSelection::default(),
            proxy: super::super::json::ProxyReport::default(),
            rerun: None,
            cases: vec![case],
            log_leaks: Vec::new(),
            stops: Vec::new(),
            summary: super::super::Summary::default(),
        }
    }

    fn stored() -> CaseReport {
        let mut case = failing("limits/rate-limit").completed();
        case.findings = judge::judge(case.observation.as_ref().unwrap(), &[], &Policy::default());
        case
    }

    fn finished(again: &Rejudgement) -> &CaseReport {
        let Event::CaseFinished(case) = &again.events[1] else { panic!("no case") };
        case
    }

    #[test]
    fn the_same_policy_gives_the_same_verdict() {
        let case = stored();
        assert!(judge::has_required(&case.findings), "{:?}", case.findings);
        let again = judge_again(&report(case.clone()), &Policy::default());
        assert_eq!(again.differences, []);
        assert_eq!(finished(&again).findings, case.findings);
        assert_eq!(finished(&again).verdict, case.verdict);
    }

    #[test]
    fn differences_under_another_policy_are_listed() {
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
            [JudgementChange {
                case: case.id.clone(),
                new: Vec::new(),
                gone: gone.clone(),
                verdict: Some((Verdict::Fail, Verdict::Pass)),
            }]
        );
        assert_eq!(finished(&again).verdict, Verdict::Pass);
        // The reverse.
        let lenient = CaseReport { findings: Vec::new(), verdict: Verdict::Pass, ..case };
        let again = judge_again(&report(lenient), &Policy::default());
        assert_eq!(again.differences[0].new, gone);
        assert_eq!(finished(&again).verdict, Verdict::Fail);
    }

    /// Accepted findings of any rule, at any level, under any policy.
    fn accepted() -> impl Strategy<Value = Accepted> {
        let rules: Vec<&str> = judge::rules().map(|rule| rule.id).collect();
        let line =
            (select(rules), select(Level::ALL.to_vec()), any::<bool>()).prop_map(|(rule, level, own)| {
                let answer = PolicyAnswer { key: "timeout".to_owned(), answer: "504".to_owned() };
                FindingLine {
                    rule: rule.to_owned(),
                    level: if own { Level::Required } else { level },
                    observed: "something".to_owned(),
                    policy: own.then_some(answer).into_iter().collect(),
                }
            });
        prop_oneof![
            1 => Just(Accepted::Nothing),
            4 => vec(line, 0..6).prop_map(Accepted::Findings),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

        /// A run that was stored under one policy and is judged again by another gives the verdicts of a live run
        /// under the other: after a round trip through JSON, with placeholders for secrets, and with a sibling that
        /// was judged, could not be judged, or did not run.
        #[test]
        fn a_stored_run_is_judged_like_a_live_one(
            mut seen in observation(),
            mut other in observation(),
            accepted in accepted(),
            diff in select(vec!["", "-one\n+two\n"]),
            there in select(vec![Some(Verdict::Pass), Some(Verdict::Inconclusive), None]),
            strict in any::<bool>(),
            policies in (policy(), policy()),
        ) {
            seen.arrangement.combination.stream = true;
            other.arrangement = seen.arrangement.clone();
            other.arrangement.combination.stream = false;
            other.arrangement.identity.token = "other".to_owned();
            let id = case_id("s", &seen.arrangement.combination);
            let plain_id = case_id("s", &other.arrangement.combination);
            seen.arrangement.compared_with = vec![plain_id.clone()];
            let judged = there.is_some_and(Verdict::is_of_findings);
            let siblings = [ComparedSibling { kin: SiblingKind::Stream, seen: judged.then_some(&other) }];
            let diff = if accepted == Accepted::Nothing { "" } else { diff };
            let live = |policy: &Policy| {
                let now = judge_case(&seen, &siblings, policy, &accepted, diff, &[], strict);
                let mut live = failing(&id);
                live.verdict = now.verdict;
                live.findings = now.findings;
                live.change = now.change.filter(|change| !change.is_empty());
                live.accepted = Some(accepted.clone());
                live.observation = Some(seen.clone().into());
                live.completed()
            };
            let plain = there.map(|verdict| {
                let mut plain = failing(&plain_id);
                plain.verdict = verdict;
                plain.observation = Some(other.clone().into());
                plain.completed()
            });
            let (then, now) = policies;
            let cases = std::iter::once(live(&then)).chain(plain).collect();
            let written = Report { cases, strict, ..report(stored()) };
            let stored = serde_json::to_string(&written).unwrap();
            let read: Report = serde_json::from_str(&stored).unwrap();
            let again = judge_again(&read, &now);
            let (again, live) = (finished(&again), live(&now));
            prop_assert_eq!(again.verdict, live.verdict);
            let names = |case: &CaseReport| case.findings.iter().map(named).collect::<Vec<_>>();
            prop_assert_eq!(names(again), names(&live));
            prop_assert_eq!(&again.change, &live.change);
            let by_its_own = judge_again(&read, &then).differences;
            prop_assert_eq!(by_its_own.iter().find(|one| one.case == id), None);
        }
    }

    #[test]
    fn known_and_inconclusive_cases_keep_their_verdicts() {
        let mut known = stored();
        known.verdict = Verdict::Known;
        known.findings.push(Finding {
            rule: "status.timeout".to_owned(),
            level: Level::Required,
            expected: String::new(),
            observed: String::new(),
            evidence: Vec::new(),
            policy: Vec::new(),
            repeats: None,
        });
        let again = judge_again(&report(known.clone()), &Policy::default());
        assert_eq!(again.differences[0].gone, ["status.timeout (required)"]);
        assert_eq!(finished(&again).verdict, Verdict::Known);
        known.verdict = Verdict::Inconclusive;
        let again = judge_again(&report(known), &Policy::default());
        assert_eq!((again.differences.len(), finished(&again).verdict), (0, Verdict::Inconclusive));
    }

    #[test]
    fn a_case_is_compared_with_its_sibling_if_that_was_judged() {
        let mut stream = stored();
        let mut plain = failing("limits/rate-limit[plain]");
        plain.observation.clone_from(&stream.observation);
        let seen = stream.observation.as_mut().unwrap();
        seen.arrangement.combination.stream = true;
        seen.arrangement.compared_with = vec![plain.id.clone()];
        let ExchangeOutcome::Answer(answer) = &mut seen.exchanges[0].outcome else { panic!("no answer") };
        answer.status = 500;
        let mut differs = |verdict| {
            plain.verdict = verdict;
            let report = Report { cases: vec![stream.clone(), plain.clone()], ..report(stream.clone()) };
            let again = judge_again(&report, &Policy::default());
            finished(&again).findings.iter().any(|finding| finding.rule == "sibling.stream-status")
        };
        assert!(differs(Verdict::Known));
        assert!(!differs(Verdict::Inconclusive));
    }
}
