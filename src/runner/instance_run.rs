//! Runs the cases of an instance: concurrently at first, then alone if that was not conclusive. If a case stops the
//! proxy, restarts the proxy and finds the case.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{Notify, mpsc::UnboundedSender},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    case::ReadyCase,
    error::ProxyGone,
    fail_fast::FailFast,
    gateway::Gateway,
    instance_results::InstanceResults,
    instance_site::InstanceSite,
    look::{FinishedLook, Look},
    outcome::JudgingContext,
    pace::{CasePermit, Pacer},
    proxy_state::{ProxyState, Silence, beat},
    starts::Starts,
    worklist::Worklist,
};
use crate::{
    event::{CaseReport, Event, ProxyStop},
    observation::ProxyHarm,
    snapshot::CaseSnapshot,
    spool::Spool,
};

/// How long after the proxy stopped the case may take to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// If this many scenarios in a row stop the proxy, without a case in between that does not, the proxy does not serve
/// at all.
const IN_A_ROW: usize = 6;

/// The message for a proxy whose process runs but that accepts no connections.
const REFUSES: &str = "stopped accepting connections";

/// How many lines of the log a finding contains.
const LOG_LINES: usize = 5;

/// An instance, and everything needed to run its cases.
pub(super) struct InstanceRun<'a> {
    /// Restarts the instance.
    pub site: InstanceSite<'a>,
    /// The instance.
    pub gateway: Gateway,
    /// Limits the number of concurrent cases.
    pub pacer: Pacer,
    /// The starts of all instances.
    pub starts: &'a Starts,
    /// The accepted snapshots and the policy.
    pub bench: &'a JudgingContext,
    /// The snapshots of all cases, until the end of the run.
    pub snapshots: &'a Mutex<Spool<CaseSnapshot>>,
    /// Receives results.
    pub events: &'a UnboundedSender<Event>,
    /// Stops the run.
    pub cancel: &'a CancellationToken,
    /// Stops the run after a number of failing cases.
    pub fail_fast: &'a FailFast,
}

/// How a proxy stopped serving.
enum Stop {
    /// Its process ended.
    Exited(String),
    /// It answered no request for this long.
    Froze(Duration),
}

impl Stop {
    fn describe(&self) -> String {
        match self {
            Self::Exited(how) => how.clone(),
            Self::Froze(silent) => format!("answered no request for {} s", silent.as_secs()),
        }
    }

    fn harm(&self, log: Vec<String>) -> ProxyHarm {
        match self {
            Self::Exited(how) => ProxyHarm::Exited { how: how.clone(), log },
            Self::Froze(silent) => ProxyHarm::Froze { silent_ms: silent.as_secs_f64() * 1000.0, log },
        }
    }
}

/// How a phase ended. A phase is the lifetime of one process.
enum Phase {
    /// Every case has a result, or the run was interrupted.
    Done,
    /// The proxy stopped serving.
    Stopped(Stop),
}

impl InstanceRun<'_> {
    /// Runs every case and reports each result as soon as it is known. Also returns the instance, which the caller must
    /// stop.
    pub(super) async fn run(mut self, cases: &[ReadyCase]) -> (InstanceResults, Gateway) {
        let stops_it = |ready: &ReadyCase| self.bench.is_known_to_stop_the_proxy(&ready.case);
        let mut round = Worklist::new(cases, stops_it, self.bench.records());
        let mut restarts = 0;
        while let Phase::Stopped(stop) = self.phase(&mut round).await {
            if round.is_done() {
                break;
            }
            restarts += 1;
            let again = if round.done.in_a_row.len() >= IN_A_ROW {
                Err(format!("{IN_A_ROW} scenarios in a row stopped it"))
            } else {
                tokio::select! {
                    again = self.site.start_again(&self.gateway, restarts) => again,
                    () = self.cancel.cancelled() => break,
                }
            };
            match again {
                Ok(None) => {}
                Ok(Some(gateway)) => {
                    let old = std::mem::replace(&mut self.gateway, gateway);
                    round.done.logs.extend(old.searched());
                    old.stop().await;
                }
                Err(why) => {
                    self.give_up(&mut round, &stop, why);
                    break;
                }
            }
        }
        (round.done, self.gateway)
    }

    /// Runs cases until all have results or the proxy stops serving.
    async fn phase<'r>(&self, round: &mut Worklist<'r>) -> Phase {
        let hurry = Notify::new();
        let begun = Mutex::new(HashSet::new());
        let is_known = |look: &Look<'_>| self.bench.is_known_to_stop_the_proxy(&look.ready.case);
        let mut silence = Silence::new();
        let mut running = FuturesUnordered::new();
        // A look that has not started needs little memory, and thousands may wait.
        let mut waiting = VecDeque::new();
        let look_at_proxy = || beat(&self.gateway, &self.site.control, self.site.driver, &self.pacer, &hurry);
        let mut next_beat = Box::pin(look_at_proxy());
        let stop = loop {
            if round.is_idle() {
                self.weigh_believed(round);
                let batch = round.next();
                if batch.is_empty() {
                    return Phase::Done;
                }
                waiting = batch.into();
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Phase::Done,
                place = self.place(waiting.front()), if !waiting.is_empty() => {
                    running.extend(waiting.pop_front().map(|look| self.look(look, place, &begun)));
                }
                Some(seen) = running.next(), if !running.is_empty() => {
                    if seen.observation.exchanges.iter().any(|exchange| exchange.answer().is_some()) {
                        silence.ends();
                    }
                    round.over(seen);
                    if running.is_empty() && waiting.is_empty() {
                        hurry.notify_one();
                    }
                }
                state = &mut next_beat => {
                    match state {
                        ProxyState::Answered(began) => {
                            silence.ends();
                            self.confirm(round, began);
                        }
                        ProxyState::Late => silence.ends(),
                        ProxyState::Unanswered => {}
                        ProxyState::Refused => break Stop::Exited(REFUSES.to_owned()),
                        ProxyState::Exited(how) => break Stop::Exited(how),
                    }
                    next_beat.set(look_at_proxy());
                }
                silent = silence.is_too_long(), if self.gateway.can_stop() => break Stop::Froze(silent),
            }
        };
        self.gateway.kill();
        match round.take_culprit(|look| look.suspected || is_known(look)) {
            Some((look, seen)) => {
                let seen = match seen {
                    Some(seen) => Some(seen),
                    // Its connections are closed now, and the observation includes that.
                    None => tokio::time::timeout(LAST_WORDS, running.next()).await.ok().flatten(),
                };
                self.blame(round, look, seen, &stop);
            }
            None => {
                let begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
                let suspects = round.suspect(|look| begun.contains(&look.key()));
                let log = self.gateway.log();
                round.done.stops.push(ProxyStop { how: stop.describe(), case: None, running: suspects, log });
            }
        }
        Phase::Stopped(stop)
    }

    /// Waits until the next look may run. Cancel-safe.
    async fn place(&self, next: Option<&Look<'_>>) -> CasePermit<'_> {
        if next.is_some_and(|look| look.alone) {
            self.starts.over().await;
        }
        self.pacer.enter().await
    }

    /// Runs a case once, and then frees its place.
    async fn look<'r>(
        &self,
        look: Look<'r>,
        _place: CasePermit<'_>,
        begun: &Mutex<HashSet<(String, usize)>>,
    ) -> FinishedLook<'r> {
        let case = &look.ready.case;
        begun.lock().unwrap_or_else(PoisonError::into_inner).insert(look.key());
        let _ = self.events.send(Event::CaseStarted { id: case.id.clone() });
        let began = Instant::now();
        let observation = look.ready.look(look.n).run(&self.gateway, self.site.driver).await;
        FinishedLook { look, observation, span: (began, Instant::now()) }
    }

    /// Handles every look that had finished when the proxy is known to have served.
    fn confirm<'r>(&self, round: &mut Worklist<'r>, then: Instant) {
        for seen in round.confirmed(then) {
            round.done.in_a_row.clear();
            self.weigh(round, seen);
            self.weigh_released(round);
        }
    }

    /// Handles looks whose siblings have final results now.
    fn weigh_released(&self, round: &mut Worklist<'_>) {
        while let Some(seen) = round.kinship.released() {
            self.weigh(round, seen);
        }
    }

    /// Handles looks that need not be repeated, because other cases confirmed the same change.
    fn weigh_believed(&self, round: &mut Worklist<'_>) {
        for seen in round.take_believed() {
            self.weigh(round, seen);
            self.weigh_released(round);
        }
    }

    /// Handles a stop of the proxy while only this case was running.
    fn blame<'r>(
        &self,
        round: &mut Worklist<'r>,
        look: Look<'r>,
        seen: Option<FinishedLook<'r>>,
        stop: &Stop,
    ) {
        let case = &look.ready.case;
        // This also explains the earlier stop that made it a suspect.
        for open in round.done.stops.iter_mut().filter(|stop| stop.running.contains(&case.id)) {
            open.case.get_or_insert_with(|| case.id.clone());
        }
        let log = self.gateway.log();
        let how = stop.describe();
        // Without an observation there is no finding, so the stop itself must fail the run.
        let named = seen.is_some().then(|| case.id.clone());
        round.done.stops.push(ProxyStop { how, case: named, running: vec![case.id.clone()], log });
        if !self.bench.is_known_to_stop_the_proxy(case) {
            round.done.in_a_row.insert(case.scenario.id.clone());
        }
        match seen {
            Some(mut seen) => {
                seen.observation.harm = Some(stop.harm(self.gateway.last_lines(LOG_LINES)));
                self.weigh(round, seen);
            }
            None => {
                let reason = format!("the proxy {} while this case ran alone", stop.describe());
                self.unjudged(round, case, reason, None);
            }
        }
        self.weigh_released(round);
    }

    /// Gives the remaining cases no verdict, because the proxy is gone.
    fn give_up<'r>(&self, round: &mut Worklist<'r>, stop: &Stop, why: String) {
        let how = format!("{} {}", self.gateway.title(), stop.describe());
        let why_in_short = why.lines().next().unwrap_or_default();
        let reason = format!("{how} and was not restarted: {why_in_short}");
        // Cases that were not repeated may be the cause of a stop.
        round.done.stops.retain(|stop| stop.case.is_some());
        // A released look may require another one.
        while !round.is_done() {
            for look in round.give_up() {
                self.unjudged(round, &look.ready.case, reason.clone(), None);
            }
            self.weigh_released(round);
        }
        let (tail, log) = (self.gateway.tail(), self.gateway.log());
        round.done.died = Some(ProxyGone { how, why, tail, log });
    }

    /// Reports a final result.
    pub(super) fn result(&self, round: &Worklist<'_>, result: CaseReport) -> Arc<CaseReport> {
        let result = Arc::new(CaseReport { alone_ms: round.alone_ms(&result.id), ..result });
        self.fail_fast.count(result.verdict);
        // The run continues without a reporter.
        let _ = self.events.send(Event::CaseFinished(Arc::clone(&result)));
        result
    }
}
