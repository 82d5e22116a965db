//! Starts the instances of a proxy, runs their cases, and stops them.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{sync::mpsc::UnboundedSender, time::Instant};

use super::{
    case::ReadyCase,
    error::{ProxyGone, RunError},
    fail_fast::FailFast,
    gateway::Gateway,
    instance_results::InstanceResults,
    instance_run::InstanceRun,
    instance_site::InstanceSite,
    outcome::{JudgingContext, unjudged},
    pace::Pacer,
    settings::{ProxyChoice, RunSettings},
    starts::Starts,
};
use crate::{
    event::{Event, RunTimes},
    judge::Verdict,
    snapshot::CaseSnapshot,
    spool::Spool,
};

/// The initial and the maximum number of concurrent cases for a proxy that is a separate process.
const FIRST: usize = 8;
const MOST: usize = 48;

/// The initial number of concurrent cases for the embedded proxy. It increases as long as the proxy keeps up.
const EMBEDDED_FIRST: usize = 200;

/// All instances of a run. Each one starts when there is room for its start, runs its cases while others may still
/// start, and stops after its last case.
pub(super) struct Instances<'a> {
    settings: &'a RunSettings,
    bench: &'a JudgingContext,
    snapshots: &'a Mutex<Spool<CaseSnapshot>>,
    events: &'a UnboundedSender<Event>,
    fail_fast: &'a FailFast,
    number: usize,
    starts: Starts,
    /// When the first one was launched, and how many were ready when.
    began: Instant,
    first_ready: OnceLock<Instant>,
    ready: Mutex<usize>,
}

impl<'a> Instances<'a> {
    /// This number of instances.
    pub(super) fn new(
        settings: &'a RunSettings,
        number: usize,
        bench: &'a JudgingContext,
        snapshots: &'a Mutex<Spool<CaseSnapshot>>,
        events: &'a UnboundedSender<Event>,
        fail_fast: &'a FailFast,
    ) -> Self {
        let together = match &settings.proxy {
            // A start uses one core.
            ProxyChoice::Definition(_) => std::thread::available_parallelism().map_or(1, usize::from),
            ProxyChoice::Builtin(_) | ProxyChoice::Attached(_) => number,
        };
        Self {
            settings,
            bench,
            snapshots,
            events,
            fail_fast,
            number,
            starts: Starts::new(number, together),
            began: Instant::now(),
            first_ready: OnceLock::new(),
            ready: Mutex::new(0),
        }
    }

    /// Runs the cases of an instance. The instance has ended afterwards.
    ///
    /// # Errors
    ///
    /// If the instance cannot be started, and no other one is ready. Then the run stops. If cases can run elsewhere, those
    /// of this instance get no verdict.
    pub(super) async fn run(
        &self,
        site: InstanceSite<'a>,
        cases: Vec<ReadyCase>,
    ) -> Result<InstanceResults, RunError> {
        let starting = self.starts.begin().await;
        let started = tokio::select! {
            started = site.start() => started,
            () = self.fail_fast.stop.cancelled() => return Ok(InstanceResults::default()),
        };
        drop(starting);
        let (gateway, baseline) = match started {
            Ok(started) => started,
            Err(error) if self.first_ready.get().is_some() => return Ok(self.not_started(&cases, &error)),
            Err(error) => {
                self.fail_fast.stop.cancel();
                return Err(error);
            }
        };
        self.is_ready();
        let (first, most) = match (&gateway, self.settings.jobs) {
            (_, Some(jobs)) => (jobs, jobs),
            (Gateway::Builtin(_), None) => (EMBEDDED_FIRST.min(cases.len()), cases.len()),
            (_, None) => (FIRST, MOST),
        };
        let run = InstanceRun {
            site,
            gateway,
            pacer: Pacer::new(first, most, baseline),
            starts: &self.starts,
            bench: self.bench,
            snapshots: self.snapshots,
            events: self.events,
            cancel: &self.fail_fast.stop,
            fail_fast: self.fail_fast,
        };
        let (mut results, gateway) = run.run(&cases).await;
        results.logs.extend(gateway.searched());
        gateway.stop().await;
        Ok(results)
    }

    fn is_ready(&self) {
        let _ = self.first_ready.set(Instant::now());
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        *ready += 1;
        if *ready == self.number {
            let startup_ms = ms(self.began.elapsed());
            let _ = self.events.send(Event::ProxyReady { instances: self.number, startup_ms });
        }
    }

    /// Gives the cases of an instance that could not be started no verdict.
    fn not_started(&self, cases: &[ReadyCase], error: &RunError) -> InstanceResults {
        let why = error.to_string();
        let in_short = why.lines().next().unwrap_or_default();
        for ready in cases {
            let reason = format!("the instance of the proxy for this case could not be started: {in_short}");
            let result = unjudged(&ready.case, Verdict::Inconclusive, reason, None);
            let _ = self.events.send(Event::CaseFinished(result.into()));
        }
        let how = format!("an instance of {} could not be started", self.settings.proxy.name());
        let died = Some(ProxyGone { how, why, tail: String::new(), log: None });
        InstanceResults { died, ..InstanceResults::default() }
    }

    /// Milliseconds from the time that the first instance was ready.
    pub(super) fn wall_ms(&self) -> f64 {
        self.first_ready.get().map_or(0.0, |ready| ms(ready.elapsed()))
    }

    /// Adds how long the starts took.
    pub(super) fn add_to(&self, times: &mut RunTimes) {
        times.first_ready_ms = self.first_ready.get().map_or(0.0, |ready| ms(*ready - self.began));
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
