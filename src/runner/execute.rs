//! Executes a run, from the plan to the last verdict.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::mpsc::UnboundedSender, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    baseline::record,
    case::{ReadyCase, routes},
    control::{Control, RouteKind},
    error::{ProxyGone, RunError},
    fail_fast::FailFast,
    gateway::{Gateway, TrustedAuthority},
    instance_results::InstanceResults,
    instance_run::InstanceRun,
    instance_site::{InstanceSite, Restarts},
    outcome::{JudgingContext, unjudged},
    pace::Pacer,
    plan::{PlannedCase, RunPlan, look_identity, plan},
    settings::{ProxyChoice, RunSettings},
};
use crate::{
    client::Driver,
    event::{Event, RunFinished, RunStarted},
    judge::Verdict,
    observation::Identity,
    scenario::{Case, Transport},
    spool::Spool,
    upstream::{Armed, Upstream},
};

/// The initial and the maximum number of concurrent cases for a proxy that is a separate process.
const FIRST: usize = 8;
const MOST: usize = 48;

/// The initial number of concurrent cases for the embedded proxy. It increases as long as the proxy keeps up.
const EMBEDDED_FIRST: usize = 200;

/// The maximum number of looks at a case: one with others, up to two more with others, one alone, and another one
/// alone if it delayed another caller.
const LOOKS: usize = 5;

/// How a run ended.
#[derive(Debug, Default)]
pub struct RunEnd {
    /// Whether it was stopped before every case had a verdict.
    pub interrupted: bool,
    /// Set if the proxy stopped before every case had a verdict.
    pub died: Option<ProxyGone>,
}

/// An instance of the proxy and its cases.
struct Running<'a> {
    site: InstanceSite<'a>,
    gateway: Gateway,
    cases: Vec<ReadyCase>,
    baseline: Duration,
}

/// Runs every case against the proxy. It always stops the processes that it started.
///
/// # Errors
///
/// If no case could run. Findings, skipped cases and a proxy that stops during the run are not errors but events.
pub async fn run(
    settings: RunSettings,
    events: &UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> Result<RunEnd, RunError> {
    let RunSettings { cases, proxy, policy, seed, .. } = &settings;
    let bench = JudgingContext::load(&settings)?;
    let started = RunStarted {
        cases: cases.len(),
        proxy: proxy.name(),
        proxy_version: proxy.version(),
        proxy_mode: proxy.mode(),
        seed: *seed,
        policy: Box::new(policy.clone()),
        strict: settings.strict,
        allow_inconclusive: settings.allow_inconclusive,
        selection: settings.selection.clone(),
        baseline: Some(bench.baseline().clone()),
    };
    let _ = events.send(Event::RunStarted(started));
    let scenarios: BTreeMap<String, Case> =
        cases.iter().map(|case| (case.scenario.id.clone(), case.clone())).collect();
    let plan = plan(cases.clone(), proxy, *seed);
    for (case, reason) in &plan.skipped {
        let result = unjudged(case, Verdict::Skipped, reason.clone(), None);
        let _ = events.send(Event::CaseFinished(Arc::new(result)));
    }

    let upstream = match settings.listen {
        Some(address) => Upstream::start_at(address).await,
        None => Upstream::start().await,
    }
    .map_err(RunError::Upstream)?;
    let driver = Driver::new()?;
    let trust = trust(&plan, &settings, &upstream)?;
    let start = install_and_start(plan, &settings, &trust, &upstream, &driver, events);
    let started = tokio::select! {
        started = start => started,
        () = cancel.cancelled() => {
            finish(&settings, events, RunFinished { interrupted: true, ..RunFinished::default() });
            return Ok(RunEnd { interrupted: true, died: None });
        }
    };
    let running = started?;

    let fail_fast = FailFast::new(settings.fail_fast, cancel);
    let work_dir = |source| RunError::WorkDir { path: settings.work_dir.display().to_string(), source };
    std::fs::create_dir_all(&settings.work_dir).map_err(work_dir)?;
    let snapshots = Mutex::new(Spool::new(&settings.work_dir).map_err(work_dir)?);
    let first_request = Instant::now();
    let work = running.into_iter().map(|Running { site, gateway, cases, baseline }| {
        let (first, most) = match (&gateway, settings.jobs) {
            (_, Some(jobs)) => (jobs, jobs),
            (Gateway::Builtin(_), None) => (EMBEDDED_FIRST.min(cases.len()), cases.len()),
            (_, None) => (FIRST, MOST),
        };
        let pacer = Pacer::new(first, most, baseline);
        let group = InstanceRun {
            site,
            gateway,
            pacer,
            bench: &bench,
            snapshots: &snapshots,
            events,
            cancel: &fail_fast.stop,
            fail_fast: &fail_fast,
        };
        async move { group.run(&cases).await }
    });
    let ended = futures_util::future::join_all(work).await;
    let wall = first_request.elapsed();

    let (done, gateways): (Vec<InstanceResults>, Vec<Gateway>) = ended.into_iter().unzip();
    let logs: Vec<_> = gateways.iter().filter_map(Gateway::searched).collect();
    futures_util::future::join_all(gateways.into_iter().map(Gateway::stop)).await;
    upstream.shutdown().await;

    let mut finished = RunFinished {
        interrupted: cancel.is_cancelled(),
        fail_fast: fail_fast.reached(),
        wall_ms: wall.as_secs_f64() * 1000.0,
        ..RunFinished::default()
    };
    let interrupted = finished.interrupted;
    let recorded = record(&settings, &scenarios, done, &snapshots, logs, &mut finished).await;
    finished.gave_up = matches!(recorded, Ok(Some(_)));
    // The reports are complete even if a snapshot could not be written.
    finish(&settings, events, finished);
    Ok(RunEnd { interrupted, died: recorded? })
}

fn finish(settings: &RunSettings, events: &UnboundedSender<Event>, mut finished: RunFinished) {
    if matches!(settings.proxy, ProxyChoice::Definition(_)) {
        let place = settings.work_dir.display();
        finished.notes.push(format!("the configuration and the log of the proxy are in {place}"));
    }
    finished.total_ms = settings.began.elapsed().as_secs_f64() * 1000.0;
    let _ = events.send(Event::RunFinished(finished));
}

/// Arms every case, starts every instance and warms it up.
async fn install_and_start<'a>(
    plan: RunPlan,
    settings: &'a RunSettings,
    trust: &'a TrustedAuthority,
    upstream: &Upstream,
    driver: &'a Driver,
    events: &'a UnboundedSender<Event>,
) -> Result<Vec<Running<'a>>, RunError> {
    let began = Instant::now();
    let say = |line: String| {
        let _ = events.send(Event::ProxyProgress(line));
    };
    let installed = match &settings.proxy {
        ProxyChoice::Definition(definition) => {
            Some(Arc::new(definition.install(&settings.cache, &say).await?))
        }
        _ => None,
    };
    let restarts = Arc::new(Restarts::default());
    let instances = plan.groups.clone();
    let of = instances.len();
    let armed = arm(plan, settings.seed, upstream).map_err(RunError::Upstream)?;
    let starts = (1..).zip(instances).zip(armed).map(|((n, instance), (cases, control))| {
        let routes = control.routes().chain(cases.iter().flat_map(|ready| ready.all_routes().cloned()));
        let site = InstanceSite {
            routes: routes.collect(),
            settings,
            installed: installed.clone(),
            trust,
            instance,
            number: (n, of),
            control,
            driver,
            events,
            restarts: restarts.clone(),
        };
        async move {
            let (gateway, baseline) = site.start().await?;
            Ok::<_, RunError>(Running { site, gateway, cases, baseline })
        }
    });
    let running = futures_util::future::try_join_all(starts).await?;
    let _ = events.send(Event::ProxyReady {
        instances: running.len(),
        startup_ms: began.elapsed().as_secs_f64() * 1000.0,
    });
    Ok(running)
}

/// The certificate authority of the run, which the proxies trust.
fn trust(plan: &RunPlan, settings: &RunSettings, upstream: &Upstream) -> Result<TrustedAuthority, RunError> {
    let file = settings.work_dir.join("ca.pem");
    let is_launched = matches!(settings.proxy, ProxyChoice::Definition(_));
    let needed = plan.cases.iter().any(|planned| planned.case.scenario.transport != Transport::Plain);
    if !is_launched && !needed {
        return Ok(TrustedAuthority { pem: None, file });
    }
    let pem = upstream.ca_pem().map_err(RunError::Authority)?;
    if is_launched {
        let written = std::fs::create_dir_all(&settings.work_dir).and_then(|()| std::fs::write(&file, &pem));
        written.map_err(|source| RunError::WorkDir { path: file.display().to_string(), source })?;
    }
    Ok(TrustedAuthority { pem: Some(pem), file })
}

/// Arms the mocks of all cases and control requests, grouped by instance.
fn arm(plan: RunPlan, seed: u64, upstream: &Upstream) -> std::io::Result<Vec<(Vec<ReadyCase>, Control)>> {
    let mut groups: Vec<Vec<ReadyCase>> = plan.groups.iter().map(|_| Vec::new()).collect();
    let ready = |case: Case, identity: Identity| {
        let armed = upstream.arm(Armed {
            identity: identity.clone(),
            combination: case.combination,
            deployments: case.scenario.deployments.clone(),
            transport: case.scenario.transport,
            account: case.scenario.account.clone(),
            seed,
        })?;
        let routes = routes(&case, &identity, |name| armed.base_url(name));
        Ok::<_, std::io::Error>(ReadyCase::new(case, identity, armed, routes))
    };
    for PlannedCase { case, identity, group } in plan.cases {
        let looks = if case.scenario.proxy.cooldown.is_some() { LOOKS } else { 1 };
        let spares: Vec<ReadyCase> = (2..=looks)
            .map(|n| ready(case.clone(), look_identity(seed, &case.id, n)))
            .collect::<Result<_, _>>()?;
        groups[group].push(ready(case, identity)?.with_spares(spares));
    }
    let all = || groups.iter().flatten().flat_map(|ready| std::iter::once(ready).chain(&ready.spares));
    let addresses: BTreeSet<String> = all().flat_map(|ready| ready.armed.hosts()).collect();
    let addresses: Arc<[String]> = addresses.into_iter().collect();
    for ready in groups.iter_mut().flatten() {
        ready.spares.iter_mut().for_each(|spare| spare.run_addresses = addresses.clone());
        ready.run_addresses = addresses.clone();
    }
    let with_control = |(group, cases): (usize, Vec<ReadyCase>)| {
        let kinds: Vec<_> = cases.iter().map(|ready| RouteKind::of(&ready.case)).collect();
        Ok((cases, Control::arm(upstream, group, &kinds)?))
    };
    groups.into_iter().enumerate().map(with_control).collect()
}
