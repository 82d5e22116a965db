//! Runs cases with the embedded proxy, like the command line, but without snapshots.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;
use upfault::internals::{
    builtin::{Defect, EmbeddedProxy},
    event::{CaseReport, Event},
    judge::{Finding, Policy, Verdict},
    proxy::Definition,
    report::{ProxyReport, Report, SCHEMA_VERSION, Summary, judge_again},
    runner::{self, ProxyChoice, RunSettings},
    scenario::Case,
    snapshot::{SnapshotStore, WriteMode},
};

use super::room::{self, Sharing};

/// The broken rules, each with its first case and finding.
pub type Broken = BTreeMap<String, (String, Finding)>;

/// Runs cases. Each of them must get a verdict.
pub async fn run(defect: Option<Defect>, cases: Vec<Case>) -> Vec<Arc<CaseReport>> {
    // Which rules a defect breaks is known only to its row, so that nothing is unexpected here.
    let is_expected = |_: &str| defect.is_some();
    run_seeded(defect.into(), cases, 1, is_expected).await
}

/// The maximum number of runs of a case that is inconclusive because the machine was busy, or that has an unexpected
/// finding.
pub const RUNS: usize = 3;

/// How the 1-based run of a case shares the machine: the last one is alone.
pub fn sharing_of(run: usize) -> Sharing {
    if run < RUNS { Sharing::WithOthers } else { Sharing::Alone }
}

/// Runs cases with this seed, on which tokens and random choices depend. Like a run against accepted snapshots, it repeats
/// cases with findings that are not expected: the machine may have been busy, and the client of the embedded proxy may send
/// one request on an HTTP/2 connection that the mock is closing. The last repetition runs alone.
pub async fn run_seeded(
    which: EmbeddedProxy,
    cases: Vec<Case>,
    seed: u64,
    is_expected: impl Fn(&str) -> bool,
) -> Vec<Arc<CaseReport>> {
    // Cases that the embedded proxy does not support are left out.
    let cases: Vec<Case> =
        cases.into_iter().filter(|case| EmbeddedProxy::Reference.fitted(case).is_ok()).collect();
    let mut results = run_once(which, cases.clone(), seed, Sharing::WithOthers).await;
    for run in 2..=RUNS {
        let without: BTreeSet<&str> = results
            .iter()
            .filter(|result| {
                result.verdict == Verdict::Inconclusive
                    || result.findings.iter().any(|finding| !is_expected(&finding.rule))
            })
            .map(|result| result.scenario.as_str())
            .collect();
        // All cases of the scenario, because they are compared with each other.
        let again: Vec<Case> =
            cases.iter().filter(|case| without.contains(case.scenario.id.as_str())).cloned().collect();
        if again.is_empty() {
            break;
        }
        let again = run_once(which, again, seed, sharing_of(run)).await;
        results.retain(|result| !again.iter().any(|newer| newer.scenario == result.scenario));
        results.extend(again);
    }
    for result in &results {
        let is_judged = matches!(result.verdict, Verdict::Pass | Verdict::Fail);
        assert!(is_judged, "{which}: {} is {}: {:?}", result.id, result.verdict, result.reason);
    }
    let _room = room::enter(results.len(), Sharing::WithOthers).await;
    // The report, which contains placeholders for secrets, must get the same judgement as the live run.
    let differences = judge_again(&report(&results), &Policy::default()).differences;
    assert_eq!(differences, [], "{which} is judged differently from a report");
    assert_eq!(results.len(), cases.len(), "{which}: every case must have a verdict");
    results
}

/// The embedded proxy. With a defect that stops the process, it runs in a separate process.
fn proxy(which: EmbeddedProxy) -> ProxyChoice {
    match which.name().filter(|_| which.stops_the_process()) {
        Some(name) => {
            let program = Path::new(env!("CARGO_BIN_EXE_upfault"));
            let definition = Definition::embedded(program, name).expect("it is a definition");
            ProxyChoice::Definition(Box::new(definition))
        }
        None => ProxyChoice::Builtin(which),
    }
}

async fn run_once(
    which: EmbeddedProxy,
    cases: Vec<Case>,
    seed: u64,
    sharing: Sharing,
) -> Vec<Arc<CaseReport>> {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let store = SnapshotStore::new(dir.path().join("snapshots"), WriteMode::Never).without_bundled();
    run_by(Policy::default(), store, which, cases, seed, sharing).await
}

/// Runs cases once with a policy, and compares them with the snapshots of a store.
pub async fn run_by(
    policy: Policy,
    store: SnapshotStore,
    which: EmbeddedProxy,
    cases: Vec<Case>,
    seed: u64,
    sharing: Sharing,
) -> Vec<Arc<CaseReport>> {
    let _room = room::enter(cases.len(), sharing).await;
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let settings = RunSettings {
        cases,
        proxy: proxy(which),
        policy,
        seed,
        jobs: None,
        strict: false,
        allow_inconclusive: 5,
        fail_fast: 0,
        selection: Default::default(),
        known: Vec::new(),
        compared_as: None,
        store,
        cache: dir.path().join("cache"),
        work_dir: dir.path().join("work"),
        listen: None,
        root: dir.path().to_owned(),
        began: Instant::now(),
    };
    let (events, mut received) = mpsc::unbounded_channel();
    let ended = runner::run(settings, &events, &CancellationToken::new()).await;
    ended.unwrap_or_else(|error| panic!("{which}: {error}"));
    drop(events);
    let mut results = Vec::new();
    while let Some(event) = received.recv().await {
        if let Event::CaseFinished(result) = event {
            results.push(result);
        }
    }
    results
}

/// The report of a run with the default policy.
pub fn report(results: &[Arc<CaseReport>]) -> Report {
    Report {
        schema: SCHEMA_VERSION,
        upfault: String::new(),
        seed: 1,
        policy: "default".to_owned(),
        judged_by: Some(Policy::default()),
        strict: false,
        allow_inconclusive: None,
        selection: Default::default(),
        proxy: ProxyReport::default(),
        rerun: None,
        cases: results.iter().map(|result| CaseReport::clone(result)).collect(),
        summary: Summary::default(),
        log_leaks: Vec::new(),
        stops: Vec::new(),
    }
}

/// The same results, judged by another policy.
pub fn judged_by(policy: &Policy, results: &[Arc<CaseReport>]) -> Vec<Arc<CaseReport>> {
    let again = judge_again(&report(results), policy).events.into_iter();
    again
        .filter_map(|event| if let Event::CaseFinished(result) = event { Some(result) } else { None })
        .collect()
}

/// The rules that these cases broke.
pub fn broken(results: &[Arc<CaseReport>]) -> Broken {
    let mut broken = Broken::new();
    for result in results {
        for finding in &result.findings {
            let first = || (result.id.clone(), finding.clone());
            broken.entry(finding.rule.clone()).or_insert_with(first);
        }
    }
    broken
}
