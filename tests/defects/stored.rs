//! A stored run that is judged again by another policy gets the same judgement as a run with that policy.

use std::{collections::BTreeMap, sync::Arc};

use upfault::internals::{
    builtin::Defect,
    event::{CaseReport, Event},
    judge::{Policy, Verdict},
    report::judge_again,
    scenario::Level,
    snapshot::{SnapshotStore, WriteMode},
};

use super::{
    alone, block_on, library,
    run::{report, run_by},
};

/// Scenarios on which policies disagree (statuses, details, fallbacks, siblings, streams, silence), without slow ones.
fn is_chosen(id: &str) -> bool {
    const FAMILIES: [&str; 7] = [
        "status/",
        "detail/",
        "limits/rate-limit",
        "fallback/",
        "siblings/",
        "stream/",
        "timeouts/no-answer",
    ];
    FAMILIES.iter().any(|family| id.starts_with(family)) && !id.contains("cooldown")
}

/// A policy of a user, which enforces, lowers, raises and switches off rules.
const OURS: &str = "
name: ours
extends: rfc9110
timeout: {answer: 408, reason: So.}
rate_limit: {answer: 503, reason: So.}
retry_after: {answer: recommended, reason: So.}
error_type: {answer: lifted, reason: So.}
after_error: {answer: done, reason: So.}
levels:
  headers.request-id: {answer: required, reason: So.}
  status.mirrored: {answer: lifted, reason: So.}
";

type CaseJudgement = (Verdict, Vec<(String, Level)>);

fn judgements<'r>(results: impl Iterator<Item = &'r CaseReport>) -> BTreeMap<String, CaseJudgement> {
    results
        .map(|case| {
            let findings = case.findings.iter().map(|finding| (finding.rule.clone(), finding.level));
            (case.id.clone(), (case.verdict, findings.collect()))
        })
        .collect()
}

#[test]
fn a_stored_run_gets_the_judgement_of_a_run_with_the_policy() {
    let _alone = alone();
    let cases: Vec<_> = library().into_iter().filter(|case| is_chosen(&case.id)).collect();
    let mut policies = Policy::all();
    policies.push(Policy::from_text("ours.yaml", OURS).expect("it is a good policy"));
    let mut seen = BTreeMap::new();
    for defect in [Defect::RetryAfterDropped, Defect::StreamGatewayErrorAs500] {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let store = |mode| SnapshotStore::new(dir.path().join("proxy"), mode).without_bundled();
        let run = |policy: &Policy, mode, cases| {
            block_on(run_by(policy.clone(), store(mode), Some(defect).into(), cases, 1))
        };
        // Some cases are accepted with the policy of the user.
        let part = cases.iter().filter(|case| !case.id.starts_with("detail/")).cloned().collect();
        run(&policies[4], WriteMode::Accept, part);
        let live: Vec<_> =
            policies.iter().map(|policy| run(policy, WriteMode::Never, cases.clone())).collect();
        let stored = report(&live[0]);
        for (policy, live) in policies.iter().zip(live) {
            let live = judgements(live.iter().map(Arc::as_ref));
            let again = judge_again(&stored, policy).events;
            let again = judgements(again.iter().filter_map(|event| match event {
                Event::CaseFinished(case) => Some(case.as_ref()),
                _ => None,
            }));
            assert_eq!(again.len(), live.len());
            for (id, (verdict, findings)) in &live {
                let (again, found) = &again[id];
                // A case can be inconclusive if the machine is busy.
                if ![again, verdict].contains(&&Verdict::Inconclusive) {
                    assert_eq!((again, found), (verdict, findings), "{id} by {}, {defect:?}", policy.name);
                }
                *seen.entry(*verdict).or_insert(0) += 1;
            }
        }
    }
    for verdict in [Verdict::Pass, Verdict::Known, Verdict::Fail] {
        assert!(seen.contains_key(&verdict), "no case has the verdict {verdict}: {seen:?}");
    }
    assert!(!seen.contains_key(&Verdict::Changed), "{seen:?}");
}
