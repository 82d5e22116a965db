//! Executes a run, from the plan to the last verdict.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::{sync::mpsc::UnboundedSender, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    arming::{arm, trust},
    baseline::record,
    case::ReadyCase,
    error::{ProxyGone, RunError},
    fail_fast::FailFast,
    gateway::TrustedAuthority,
    instance_results::InstanceResults,
    instance_site::{InstanceSite, Restarts},
    instances::Instances,
    outcome::{JudgingContext, unjudged},
    plan::{RunPlan, plan},
    settings::{ProxyChoice, RunSettings},
};
use crate::{
    client::Driver,
    event::{Event, RunFinished, RunStarted, RunTimes},
    judge::Verdict,
    platform::cpu_of_ended_processes,
    proxy::Installed,
    scenario::Case,
    spool::Spool,
    upstream::Upstream,
};

/// How a run ended.
#[derive(Debug, Default)]
pub struct RunEnd {
    /// Whether it was stopped before every case had a verdict.
    pub interrupted: bool,
    /// Set if the proxy stopped before every case had a verdict.
    pub died: Option<ProxyGone>,
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
        Some(address) => {
            let mocks_at = match proxy {
                ProxyChoice::Attached(attached) => Some(attached.rendering.mocks_at.as_str()),
                _ => None,
            };
            let started = Upstream::start_at(address, mocks_at).await;
            started.map_err(|source| RunError::Listen { address, source })?
        }
        None => Upstream::start().await.map_err(RunError::Upstream)?,
    };
    let driver = Driver::new()?;
    let trust = trust(&plan, &settings, &upstream)?;
    let say = |line: String| {
        let _ = events.send(Event::ProxyProgress(line));
    };
    let mut times = RunTimes::default();
    let installed = match &settings.proxy {
        ProxyChoice::Definition(definition) => {
            let began = Instant::now();
            let installed = tokio::select! {
                installed = definition.install(&settings.cache, &say) => installed?,
                () = cancel.cancelled() => {
                    finish(&settings, events, RunFinished { interrupted: true, ..RunFinished::default() });
                    return Ok(RunEnd { interrupted: true, died: None });
                }
            };
            times.install_ms = ms(began.elapsed());
            Some(installed)
        }
        _ => None,
    };
    let used = cpu_of_ended_processes();
    let sites = sites(plan, installed, &settings, &trust, &upstream, &driver, events)?;

    let fail_fast = FailFast::new(settings.fail_fast, cancel);
    let work_dir = |source| RunError::WorkDir { path: settings.work_dir.display().to_string(), source };
    std::fs::create_dir_all(&settings.work_dir).map_err(work_dir)?;
    let snapshots = Mutex::new(Spool::new(&settings.work_dir).map_err(work_dir)?);
    let instances = Instances::new(&settings, sites.len(), &bench, &snapshots, events, &fail_fast);
    let work = sites.into_iter().map(|(site, cases)| instances.run(site, cases));
    let ended = futures_util::future::join_all(work).await;
    upstream.shutdown().await;
    let done: Vec<InstanceResults> = ended.into_iter().collect::<Result<_, _>>()?;

    instances.add_to(&mut times);
    for one in &done {
        times.repeated += one.repeated;
        times.repeated_ms += ms(one.repeated_time);
    }
    let launched = matches!(settings.proxy, ProxyChoice::Definition(_));
    times.proxy_cpu_ms =
        used.zip(cpu_of_ended_processes()).filter(|_| launched).map(|(before, now)| ms(now - before));
    let mut finished = RunFinished {
        interrupted: cancel.is_cancelled(),
        fail_fast: fail_fast.reached(),
        wall_ms: instances.wall_ms(),
        times,
        ..RunFinished::default()
    };
    let interrupted = finished.interrupted;
    let recorded = record(&settings, &scenarios, done, &snapshots, &mut finished).await;
    finished.gave_up = matches!(recorded, Ok(Some(_)));
    // The reports are complete even if a snapshot could not be written.
    finish(&settings, events, finished);
    Ok(RunEnd { interrupted, died: recorded? })
}

fn finish(settings: &RunSettings, events: &UnboundedSender<Event>, mut finished: RunFinished) {
    match &settings.proxy {
        ProxyChoice::Builtin(_) => {}
        ProxyChoice::Definition(_) => {
            let place = settings.work_dir.display();
            finished.notes.push(format!("the configuration and the log of the proxy are in {place}"));
        }
        ProxyChoice::Attached(attached) => {
            let (root, folder) = (attached.root(), &attached.folder);
            finished.notes.push(format!("the proxy ran at {root} with the configuration in {folder}"));
        }
    }
    finished.total_ms = settings.began.elapsed().as_secs_f64() * 1000.0;
    let _ = events.send(Event::RunFinished(finished));
}

/// Arms every case, and returns the instances with their cases, those with the most cases first: they take the longest.
fn sites<'a>(
    plan: RunPlan,
    installed: Option<Installed>,
    settings: &'a RunSettings,
    trust: &'a TrustedAuthority,
    upstream: &Upstream,
    driver: &'a Driver,
    events: &'a UnboundedSender<Event>,
) -> Result<Vec<(InstanceSite<'a>, Vec<ReadyCase>)>, RunError> {
    let installed = installed.map(Arc::new);
    let restarts = Arc::new(Restarts::default());
    let instances = plan.groups.clone();
    let of = instances.len();
    let token = match &settings.proxy {
        ProxyChoice::Attached(attached) => attached.rendering.token.as_str(),
        _ => "",
    };
    let armed = arm(plan, settings.seed, token, upstream).map_err(RunError::Upstream)?;
    let mut armed: Vec<_> = instances.into_iter().zip(armed).collect();
    armed.sort_by_key(|(_, (cases, _))| Reverse(cases.len()));
    let sites = (1..).zip(armed).map(|(n, (instance, (cases, control)))| {
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
        (site, cases)
    });
    Ok(sites.collect())
}

fn ms(time: std::time::Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
