//! A whole run, from the plan to the last verdict.

use std::{collections::BTreeMap, time::Duration};

use tokio::{sync::mpsc::UnboundedSender, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    case::{Ready, routes},
    control::{Control, Kind},
    error::{Died, RunError},
    gateway::{Gateway, Trust},
    group::{Group, GroupDone},
    log_leaks,
    outcome::{Bench, unjudged},
    pace::Pacer,
    plan::{Plan, Planned, look_identity, plan},
    settings::{ProxyChoice, RunSettings},
};
use crate::{
    client::Driver,
    event::{Event, RunFinished, RunStarted},
    judge::Verdict,
    observation::Identity,
    proxy::Route,
    scenario::{Case, Transport},
    snapshot::{CaseSnapshot, Recorded, SnapshotFile},
    upstream::{Armed, Upstream},
};

/// Cases in flight at first, and at the most, for a proxy with a process of its own.
const FIRST: usize = 8;
const MOST: usize = 48;

/// Cases in flight at first for the embedded proxy; more as long as it keeps pace.
const EMBEDDED_FIRST: usize = 200;

/// A case is looked at side by side with others, then perhaps once more, then perhaps alone.
const LOOKS: usize = 3;

/// How a run ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// It was stopped before every case had its verdict.
    pub interrupted: bool,
    /// The proxy ended before its cases did.
    pub died: Option<Died>,
}

/// One instance with its cases.
struct Running {
    gateway: Gateway,
    control: Control,
    cases: Vec<Ready>,
    baseline: Duration,
}

/// Runs every case against the proxy. Whatever happens, nothing that was started is left behind.
///
/// # Errors
///
/// [`RunError`] if nothing could be run. Findings, skipped cases and even a proxy that dies in
/// mid-run are no errors: they are told as events.
pub async fn run(
    settings: RunSettings,
    events: &UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> Result<Ended, RunError> {
    let RunSettings { cases, proxy, policy, seed, store, .. } = &settings;
    let bench = Bench::load(store, cases.iter(), policy.clone(), settings.strict, proxy.volatile())?;
    let started = RunStarted {
        cases: cases.len(),
        proxy: proxy.name(),
        proxy_version: proxy.version(),
        seed: *seed,
        policy: Box::new(policy.clone()),
    };
    let _ = events.send(Event::RunStarted(started));
    let scenarios: BTreeMap<String, Case> =
        cases.iter().map(|case| (case.scenario.id.clone(), case.clone())).collect();
    let plan = plan(cases.clone(), proxy, *seed);
    for (case, reason) in &plan.skipped {
        let result = unjudged(case, Verdict::Skipped, reason.clone(), None);
        let _ = events.send(Event::CaseFinished(std::sync::Arc::new(result)));
    }

    let upstream = match settings.listen {
        Some(address) => Upstream::start_at(address).await,
        None => Upstream::start().await,
    }
    .map_err(RunError::Upstream)?;
    let driver = Driver::new()?;
    let started = tokio::select! {
        started = start(plan, &settings, &upstream, &driver, events) => started,
        () = cancel.cancelled() => {
            finish(&settings, events, RunFinished { interrupted: true, ..RunFinished::default() });
            return Ok(Ended { interrupted: true, died: None });
        }
    };
    let running = started?;

    let first_request = Instant::now();
    let groups: Vec<Group<'_>> = running
        .iter()
        .map(|one| {
            let (first, most) = match (&one.gateway, settings.jobs) {
                (_, Some(jobs)) => (jobs, jobs),
                (Gateway::Builtin(_), None) => (EMBEDDED_FIRST.min(one.cases.len()), one.cases.len()),
                (_, None) => (FIRST, MOST),
            };
            Group {
                gateway: &one.gateway,
                control: &one.control,
                pacer: Pacer::new(first, most, one.baseline),
                driver: &driver,
                bench: &bench,
                events,
                cancel,
            }
        })
        .collect();
    let work = groups.iter().zip(&running).map(|(group, one)| group.run(&one.cases));
    let done = futures_util::future::join_all(work).await;
    let wall = first_request.elapsed();
    drop(groups);

    let mut logs = Vec::new();
    let mut stops = Vec::new();
    for Running { gateway, control, cases: ready, .. } in running {
        drop((control, ready));
        logs.extend(gateway.searched());
        stops.push(gateway.stop());
    }
    futures_util::future::join_all(stops).await;
    upstream.shutdown().await;
    let log_leaks = log_leaks::search(logs, &settings.work_dir).await;

    let interrupted = cancel.is_cancelled();
    let mut finished = RunFinished {
        interrupted,
        wall_ms: wall.as_secs_f64() * 1000.0,
        log_leaks,
        ..RunFinished::default()
    };
    let died = record(&settings, &scenarios, done, &mut finished)?;
    finish(&settings, events, finished);
    Ok(Ended { interrupted, died })
}

fn finish(settings: &RunSettings, events: &UnboundedSender<Event>, mut finished: RunFinished) {
    if matches!(settings.proxy, ProxyChoice::Definition(_)) {
        let place = settings.work_dir.display();
        finished.notes.push(format!("the proxy's configuration and log are in {place}"));
    }
    finished.total_ms = settings.began.elapsed().as_secs_f64() * 1000.0;
    let _ = events.send(Event::RunFinished(finished));
}

/// Arms every case, starts every instance and warms it up.
async fn start(
    plan: Plan,
    settings: &RunSettings,
    upstream: &Upstream,
    driver: &Driver,
    events: &UnboundedSender<Event>,
) -> Result<Vec<Running>, RunError> {
    let began = Instant::now();
    let say = |line: String| {
        let _ = events.send(Event::ProxyProgress(line));
    };
    let installed = match &settings.proxy {
        ProxyChoice::Definition(definition) => Some(definition.install(&settings.cache, &say).await?),
        _ => None,
    };
    let trust = trust(&plan, settings, upstream)?;
    let instances = plan.groups.len();
    let groups = plan.groups.clone();
    let armed = arm(plan, settings.seed, upstream).map_err(RunError::Upstream)?;
    let starts = (1..).zip(groups).zip(armed).map(|((n, instance), (cases, control))| {
        let (say, installed, trust) = (&say, installed.as_ref(), &trust);
        async move {
            // Several instances start at once: each line says whose it is.
            let progress = |line: String| {
                say(if instances > 1 { format!("{line} ({n} of {instances})") } else { line });
            };
            let routes: Vec<Route> =
                control.routes().chain(cases.iter().flat_map(|ready| ready.all_routes().cloned())).collect();
            let work_dir = settings.work_dir.join(format!("instance-{n}"));
            let gateway =
                Gateway::start(&settings.proxy, installed, routes, instance, trust, work_dir, &progress)
                    .await?;
            let (gateway, baseline) = warm(gateway, settings, &control, driver, &progress).await?;
            Ok::<_, RunError>(Running { gateway, control, cases, baseline })
        }
    });
    let running = futures_util::future::try_join_all(starts).await?;
    let _ = events.send(Event::ProxyReady {
        instances: running.len(),
        startup_ms: began.elapsed().as_secs_f64() * 1000.0,
    });
    Ok(running)
}

/// What the proxies are to trust: the run's own authority.
fn trust(plan: &Plan, settings: &RunSettings, upstream: &Upstream) -> Result<Trust, RunError> {
    let file = settings.work_dir.join("ca.pem");
    let is_launched = matches!(settings.proxy, ProxyChoice::Definition(_));
    let needed = plan.cases.iter().any(|planned| planned.case.scenario.transport != Transport::Plain);
    if !is_launched && !needed {
        return Ok(Trust { pem: None, file });
    }
    let pem = upstream.ca_pem().map_err(RunError::Authority)?;
    if is_launched {
        let written = std::fs::create_dir_all(&settings.work_dir).and_then(|()| std::fs::write(&file, &pem));
        written.map_err(|source| RunError::WorkDir { path: file.display().to_string(), source })?;
    }
    Ok(Trust { pem: Some(pem), file })
}

/// Arms every case at the mock, group by group, each with its control requests.
fn arm(plan: Plan, seed: u64, upstream: &Upstream) -> std::io::Result<Vec<(Vec<Ready>, Control)>> {
    let mut groups: Vec<Vec<Ready>> = plan.groups.iter().map(|_| Vec::new()).collect();
    let ready = |case: Case, identity: Identity| {
        let deployments = &case.scenario.deployments;
        let armed = upstream.arm(Armed {
            identity: identity.clone(),
            combination: case.combination,
            deployments: deployments.iter().map(|(name, turns)| (name.clone(), turns.clone())).collect(),
            transport: case.scenario.transport,
            account: case.scenario.account.clone(),
            seed,
        })?;
        armed.begin(Instant::now());
        let routes = routes(&case, &identity, |name| armed.base_url(name));
        Ok::<_, std::io::Error>(Ready { case, identity, armed, routes, spares: Vec::new() })
    };
    for Planned { case, identity, group } in plan.cases {
        let looks = if case.scenario.proxy.cooldown.is_some() { LOOKS } else { 1 };
        let spares = (2..=looks).map(|n| ready(case.clone(), look_identity(seed, &case.id, n)));
        let spares = spares.collect::<Result<_, _>>()?;
        groups[group].push(Ready { spares, ..ready(case, identity)? });
    }
    let with_control = |(group, cases): (usize, Vec<Ready>)| {
        let kinds: Vec<_> = cases.iter().map(|ready| Kind::of(&ready.case)).collect();
        Ok((cases, Control::arm(upstream, group, &kinds)?))
    };
    groups.into_iter().enumerate().map(with_control).collect()
}

/// Uses every kind of route once; a proxy through which a plain request does not come is stopped.
async fn warm(
    gateway: Gateway,
    settings: &RunSettings,
    control: &Control,
    driver: &Driver,
    progress: &(dyn Fn(String) + Sync),
) -> Result<(Gateway, Duration), RunError> {
    if !matches!(gateway, Gateway::Builtin(_)) {
        progress("warming up".to_owned());
    }
    let told = match control.warm_up(&gateway, driver, progress).await {
        Ok(baseline) => return Ok((gateway, baseline)),
        Err(told) => told,
    };
    let (tail, log) = (gateway.tail(), gateway.log());
    gateway.stop().await;
    let help = match log {
        Some(log) => format!("the whole log is {log}; `upfault proxy render` prints its configuration"),
        None => {
            "is it running? It needs the configuration that `upfault proxy render NAME --listen ADDR` prints \
                 for the same cases, with the same ADDR and seed"
                .to_owned()
        }
    };
    Err(RunError::Control { proxy: settings.proxy.name(), told, tail, help })
}

/// Holds what was seen against what is accepted, and writes what the store may write.
fn record(
    settings: &RunSettings,
    scenarios: &BTreeMap<String, Case>,
    done: Vec<GroupDone>,
    finished: &mut RunFinished,
) -> Result<Option<Died>, RunError> {
    let mut died = None;
    let mut by_scenario: BTreeMap<String, Vec<CaseSnapshot>> = BTreeMap::new();
    for group in done {
        died = died.or(group.died);
        for (scenario, snapshot) in group.snapshots {
            by_scenario.entry(scenario).or_default().push(snapshot);
        }
    }
    for (id, mut cases) in by_scenario {
        let Some(case) = scenarios.get(&id) else { continue };
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        let file = SnapshotFile {
            source: case.scenario.file.clone(),
            description: case.scenario.title.clone(),
            cases,
        };
        match settings.store.record(&id, &file)? {
            Recorded::Pending(path) => finished.pending.push(settings.shown(&path)),
            Recorded::Accepted(path) => finished.accepted.push(settings.shown(&path)),
            Recorded::Unchanged | Recorded::NotWritten => {}
        }
    }
    Ok(died)
}
