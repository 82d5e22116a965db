//! Writes the snapshots of a run, and says what was written.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    error::{ProxyGone, RunError},
    instance_results::InstanceResults,
    log_leaks,
    settings::{ProxyChoice, RunSettings},
};
use crate::{
    event::{AcceptedCase, AcceptedFile, RefusedCase, RunFinished},
    judge::Verdict,
    scenario::Case,
    snapshot::{Acceptance, CaseSnapshot, Recorded, SnapshotFile, SnapshotOrigin},
    spool::{Spool, SpoolPlace},
};

/// Writes snapshots and searches the logs of processes that have ended.
pub(super) async fn record(
    settings: &RunSettings,
    scenarios: &BTreeMap<String, Case>,
    done: Vec<InstanceResults>,
    snapshots: &Mutex<Spool<CaseSnapshot>>,
    finished: &mut RunFinished,
) -> Result<Option<ProxyGone>, RunError> {
    let mut died = None;
    let mut logs = Vec::new();
    let mut by_scenario: BTreeMap<String, Vec<SpoolPlace>> = BTreeMap::new();
    let mut verdicts = HashMap::new();
    for group in done {
        died = died.or(group.died);
        finished.stops.extend(group.stops);
        logs.extend(group.logs);
        verdicts.extend(group.verdicts);
        if let Some(error) = group.not_kept {
            return Err(not_kept(settings, error));
        }
        for (scenario, snapshot) in group.snapshots {
            by_scenario.entry(scenario).or_default().push(snapshot);
        }
    }
    finished.log_leaks = log_leaks::search(logs, &settings.work_dir).await;
    let (proxy, version) = (settings.proxy.name(), settings.proxy.version());
    let origin = SnapshotOrigin::of_this_run(&proxy, version.as_deref());
    finished.accepted = settings.store.accepts().then(Vec::new);
    for (id, places) in by_scenario {
        let Some(case) = scenarios.get(&id) else { continue };
        let spool = snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        let cases: Result<Vec<CaseSnapshot>, _> = places.into_iter().map(|place| spool.read(place)).collect();
        drop(spool);
        let mut cases = cases.map_err(|error| not_kept(settings, error))?;
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        let file = SnapshotFile {
            source: case.scenario.file.clone(),
            description: case.scenario.title.clone(),
            origin: origin.clone(),
            cases,
        };
        write_snapshot(settings, &id, &file, &verdicts, finished)?;
    }
    if finished.confirmed > 0 || finished.accepted.as_ref().is_some_and(|files| !files.is_empty()) {
        note_acceptance(settings)?;
    }
    Ok(died)
}

/// Writes down the day on which the snapshots were accepted.
fn note_acceptance(settings: &RunSettings) -> Result<(), RunError> {
    let version = match &settings.proxy {
        ProxyChoice::Definition(definition) => settings.proxy.version().or_else(|| definition.own_version()),
        _ => settings.proxy.version(),
    };
    settings.store.accepted_by(&Acceptance {
        accepted: Timestamp::now().to_zoned(TimeZone::UTC).date().to_string(),
        proxy: [Some(settings.proxy.name()), version].into_iter().flatten().collect::<Vec<_>>().join(" "),
        upfault: env!("CARGO_PKG_VERSION").to_owned(),
        seed: settings.seed,
        policy: settings.policy.describe(),
        not_run: None,
    })?;
    Ok(())
}

fn not_kept(settings: &RunSettings, source: std::io::Error) -> RunError {
    RunError::WorkDir { path: settings.work_dir.display().to_string(), source }
}

/// Writes the snapshot of a scenario. `verdicts` contains for each judged case its verdict and the required rules that fail
/// it.
fn write_snapshot(
    settings: &RunSettings,
    scenario: &str,
    file: &SnapshotFile,
    verdicts: &HashMap<String, (Verdict, Vec<String>)>,
    finished: &mut RunFinished,
) -> Result<(), RunError> {
    let rules_of = |id: &str| verdicts.get(id).map(|(_, rules)| rules.clone()).unwrap_or_default();
    let ids: BTreeSet<String> = file.cases.iter().map(|case| case.id.clone()).collect();
    let failing: BTreeSet<String> = ids.into_iter().filter(|id| !rules_of(id).is_empty()).collect();
    let recorded = settings.store.record(scenario, file, &failing)?;
    if settings.store.refuses_failing() {
        let refused = failing.into_iter().map(|id| RefusedCase { rules: rules_of(&id), id });
        finished.refused.extend(refused);
    }
    match recorded {
        Recorded::Pending(path) => finished.pending.push(settings.shown(&path)),
        Recorded::Unkept(cases) => finished.unkept += cases,
        Recorded::Accepted { path, written, pending } => {
            finished.pending.extend(pending.map(|path| settings.shown(&path)));
            let file = AcceptedFile { file: settings.shown(&path), cases: accepted(&written, verdicts) };
            finished.accepted.get_or_insert_default().push(file);
        }
        Recorded::Confirmed => finished.confirmed += 1,
        Recorded::Unchanged | Recorded::NotWritten => {}
    }
    Ok(())
}

/// The accepted cases of a file, each once.
fn accepted(written: &SnapshotFile, verdicts: &HashMap<String, (Verdict, Vec<String>)>) -> Vec<AcceptedCase> {
    let mut cases: Vec<AcceptedCase> = Vec::new();
    for form in &written.cases {
        let broken = form.findings.iter().map(|line| line.rule.clone());
        match cases.last_mut().filter(|case| case.id == form.id) {
            Some(case) => case.broken.extend(broken),
            None => {
                let verdict = verdicts.get(&form.id).map_or(Verdict::Changed, |(verdict, _)| *verdict);
                cases.push(AcceptedCase { id: form.id.clone(), verdict, broken: broken.collect() });
            }
        }
    }
    cases
}
