//! A stored run that is judged again by another policy gets the same judgement as a run with that policy.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use upfault::internals::{
    builtin::Defect,
    event::{CaseReport, Event},
    judge::{Policy, Verdict},
    report::judge_again,
    scenario::{Case, Level},
    snapshot::{SnapshotStore, WriteMode},
};

use super::{
    block_on, library,
    room::Sharing,
    run::{RUNS, report, run_by, sharing_of},
    side_by_side,
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

/// Runs the cases with each policy, and compares the judgements with those that the stored run with the first policy gets.
/// Returns the verdicts that cases got.
async fn verdicts(defect: Defect, policies: Vec<Policy>, cases: Vec<Case>) -> BTreeSet<Verdict> {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let store = |mode| SnapshotStore::new(dir.path().join("proxy"), mode).without_bundled();
    // Some cases are accepted with the policy of the user.
    let part = cases.iter().filter(|case| !case.id.starts_with("detail/")).cloned().collect();
    let (ours, accept) = (policies[4].clone(), store(WriteMode::Accept));
    run_by(ours, accept, Some(defect).into(), part, 1, Sharing::WithOthers).await;
    let (mut seen, mut compared) = (BTreeSet::new(), cases);
    // The runs of a busy machine can differ in timing, so that cases with a difference run again, with fewer others.
    for n in 1..=RUNS {
        let work = policies.iter().cloned().enumerate().map(|(place, policy)| {
            let (store, cases) = (store(WriteMode::Never), compared.clone());
            async move { (place, run_by(policy, store, Some(defect).into(), cases, 1, sharing_of(n)).await) }
        });
        let live: BTreeMap<usize, Vec<Arc<CaseReport>>> = side_by_side(work).await.into_iter().collect();
        let stored = report(&live[&0]);
        let mut differences = BTreeMap::new();
        for (policy, live) in policies.iter().zip(live.values()) {
            let live = judgements(live.iter().map(Arc::as_ref));
            let again = judge_again(&stored, policy).events;
            let again = judgements(again.iter().filter_map(|event| match event {
                Event::CaseFinished(case) => Some(case.as_ref()),
                _ => None,
            }));
            assert_eq!(again.len(), live.len());
            for (id, live) in live {
                let again = &again[&id];
                seen.insert(live.0);
                // A case can be inconclusive if the machine is busy.
                if *again != live && ![again.0, live.0].contains(&Verdict::Inconclusive) {
                    let text = format!("by {}, {defect:?}: {again:?}, in a run {live:?}", policy.name);
                    differences.insert(id, text);
                }
            }
        }
        if differences.is_empty() {
            break;
        }
        assert!(n < RUNS, "a stored run is judged differently: {differences:#?}");
        let scenarios: BTreeSet<&str> =
            differences.keys().map(|id| id.split('[').next().unwrap_or(id)).collect();
        compared.retain(|case| scenarios.contains(case.scenario.id.as_str()));
    }
    seen
}

#[test]
fn a_stored_run_gets_the_judgement_of_a_run_with_the_policy() {
    let cases: Vec<_> = library().into_iter().filter(|case| is_chosen(&case.id)).collect();
    let mut policies = Policy::all();
    policies.push(Policy::from_text("ours.yaml", OURS).expect("it is a good policy"));
    let defects = [Defect::RetryAfterDropped, Defect::StreamGatewayErrorAs500];
    let work = defects.map(|defect| verdicts(defect, policies.clone(), cases.clone()));
    let seen: BTreeSet<Verdict> = block_on(side_by_side(work)).into_iter().flatten().collect();
    for verdict in [Verdict::Pass, Verdict::Known, Verdict::Fail] {
        assert!(seen.contains(&verdict), "no case has the verdict {verdict}: {seen:?}");
    }
    assert!(!seen.contains(&Verdict::Changed), "{seen:?}");
}
