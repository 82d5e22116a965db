//! The cases that share one instance: side by side first, alone where that did not settle it. When one
//! of them stops the proxy, the proxy is started again and the case is found.

use std::{
    collections::HashSet,
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
    beat::{Beat, Silence, beat},
    case::Ready,
    error::Died,
    gateway::Gateway,
    log_leaks::Searched,
    outcome::Bench,
    pace::Pacer,
    round::{Look, Round, Seen},
    site::Site,
};
use crate::{
    event::{CaseResult, Event, ProxyStop},
    observation::Harm,
    snapshot::CaseSnapshot,
};

/// How long a case that stopped the proxy may take to see its connections closed.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A proxy that so many scenarios in a row stop, with no other case surviving between them, does not
/// serve at all.
const IN_A_ROW: usize = 6;

/// What is said of a proxy whose process runs and that accepts no connection.
const REFUSES: &str = "stopped accepting connections";

/// Lines of the log in a finding.
const LOG_LINES: usize = 5;

/// The cases of one instance, and everything that they need.
pub struct Group<'a> {
    /// How the instance is started again.
    pub site: Site<'a>,
    /// The instance.
    pub gateway: Gateway,
    /// How many cases at once.
    pub pacer: Pacer,
    /// What is accepted, and the policy.
    pub bench: &'a Bench,
    /// Where results go.
    pub events: &'a UnboundedSender<Event>,
    /// Ends everything.
    pub cancel: &'a CancellationToken,
}

/// What became of a group.
#[derive(Default)]
pub struct GroupDone {
    /// What would be accepted: scenario and case.
    pub snapshots: Vec<(String, CaseSnapshot)>,
    /// Each time that the proxy stopped serving.
    pub stops: Vec<ProxyStop>,
    /// It was not started again, so that cases are without a verdict.
    pub died: Option<Died>,
    /// The logs of processes that are gone, to be searched for secrets.
    pub logs: Vec<Searched>,
    /// Cases that could not be judged even alone, since the machine was too busy.
    pub(super) busy: usize,
    /// The scenarios that stopped the proxy since a case last survived.
    in_a_row: HashSet<String>,
}

/// How a proxy stopped serving.
enum Stop {
    /// Its process ended.
    Exited(String),
    /// It answered nobody for so long.
    Froze(Duration),
}

impl Stop {
    fn describe(&self) -> String {
        match self {
            Self::Exited(how) => how.clone(),
            Self::Froze(silent) => format!("answered no request for {} s", silent.as_secs()),
        }
    }

    fn harm(&self, log: Vec<String>) -> Harm {
        match self {
            Self::Exited(how) => Harm::Exited { how: how.clone(), log },
            Self::Froze(silent) => Harm::Froze { silent_ms: silent.as_secs_f64() * 1000.0, log },
        }
    }
}

/// How a phase ended, in which one process served.
enum Phase {
    /// Every case is done, or the run was interrupted.
    Done,
    /// The proxy stopped serving.
    Stopped(Stop),
}

impl Group<'_> {
    /// Runs every case and reports its result as soon as it is known. Returns the instance, to be stopped.
    pub async fn run(mut self, cases: &[Ready]) -> (GroupDone, Gateway) {
        let mut round = Round::new(cases, |ready| self.bench.is_known_to_stop_the_proxy(&ready.case));
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

    /// Runs cases until all are done or the proxy stops serving.
    async fn phase<'r>(&self, round: &mut Round<'r>) -> Phase {
        let hurry = Notify::new();
        let begun = Mutex::new(HashSet::new());
        let is_known = |look: &Look<'_>| self.bench.is_known_to_stop_the_proxy(&look.ready.case);
        let mut silence = Silence::new();
        let mut running = FuturesUnordered::new();
        let look_at_proxy = || beat(&self.gateway, &self.site.control, self.site.driver, &self.pacer, &hurry);
        let mut next_beat = Box::pin(look_at_proxy());
        let stop = loop {
            if round.is_idle() {
                let batch = round.next();
                if batch.is_empty() {
                    return Phase::Done;
                }
                running.extend(batch.into_iter().map(|look| self.look(look, &begun)));
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Phase::Done,
                Some(seen) = running.next(), if !running.is_empty() => {
                    if seen.observation.exchanges.iter().any(|exchange| exchange.answer().is_some()) {
                        silence.ends();
                    }
                    round.over(seen);
                    if running.is_empty() {
                        hurry.notify_one();
                    }
                }
                state = &mut next_beat => {
                    match state {
                        Beat::Answered(began) => {
                            silence.ends();
                            self.confirm(round, began);
                        }
                        Beat::Late => silence.ends(),
                        Beat::Unanswered => {}
                        Beat::Refused => break Stop::Exited(REFUSES.to_owned()),
                        Beat::Exited(how) => break Stop::Exited(how),
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
                    // Its connections are closed by now, and that belongs to what was seen.
                    None => tokio::time::timeout(LAST_WORDS, running.next()).await.ok().flatten(),
                };
                self.blame(round, look, seen, &stop);
            }
            None => {
                let begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
                let beside = round.suspect(|look| begun.contains(&look.key()));
                let log = self.gateway.log();
                round.done.stops.push(ProxyStop { how: stop.describe(), case: None, beside, log });
            }
        }
        Phase::Stopped(stop)
    }

    /// Runs a case once.
    async fn look<'r>(&self, look: Look<'r>, begun: &Mutex<HashSet<(String, usize)>>) -> Seen<'r> {
        let _place = self.pacer.enter().await;
        let case = &look.ready.case;
        begun.lock().unwrap_or_else(PoisonError::into_inner).insert(look.key());
        let _ = self.events.send(Event::CaseStarted { id: case.id.clone() });
        let began = Instant::now();
        let observation = look.ready.look(look.n).run(&self.gateway, self.site.driver).await;
        Seen { look, observation, span: (began, Instant::now()) }
    }

    /// Takes in every look that was over when the proxy is known to have served.
    fn confirm<'r>(&self, round: &mut Round<'r>, then: Instant) {
        for seen in round.confirmed(then) {
            round.done.in_a_row.clear();
            self.weigh(round, seen);
            self.weigh_released(round);
        }
    }

    /// Cases that waited for siblings which have been judged, or never will be.
    fn weigh_released(&self, round: &mut Round<'_>) {
        while let Some(seen) = round.kinship.released() {
            self.weigh(round, seen);
        }
    }

    /// The proxy stopped while this case was the only one under way.
    fn blame<'r>(&self, round: &mut Round<'r>, look: Look<'r>, seen: Option<Seen<'r>>, stop: &Stop) {
        let case = &look.ready.case;
        // It explains the stop because of which it was run alone, if it was.
        for open in round.done.stops.iter_mut().filter(|stop| stop.beside.contains(&case.id)) {
            open.case.get_or_insert_with(|| case.id.clone());
        }
        let log = self.gateway.log();
        let how = stop.describe();
        // Without a record there is no finding, and the stop must fail the run by itself.
        let named = seen.is_some().then(|| case.id.clone());
        round.done.stops.push(ProxyStop { how, case: named, beside: vec![case.id.clone()], log });
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

    /// The proxy is gone: the cases that are left get no verdict.
    fn give_up<'r>(&self, round: &mut Round<'r>, stop: &Stop, why: String) {
        let how = format!("{} {}", self.gateway.title(), stop.describe());
        let why_in_short = why.lines().next().unwrap_or_default();
        let reason = format!("{how} and was not started again: {why_in_short}");
        // What was not repeated is not known to be innocent.
        round.done.stops.retain(|stop| stop.case.is_some());
        // One that is released by another may ask for one more look.
        while !round.is_done() {
            for look in round.give_up() {
                self.unjudged(round, &look.ready.case, reason.clone(), None);
            }
            self.weigh_released(round);
        }
        let (tail, log) = (self.gateway.tail(), self.gateway.log());
        round.done.died = Some(Died { how, why, tail, log });
    }

    pub(super) fn result(&self, result: CaseResult) -> Arc<CaseResult> {
        let result = Arc::new(result);
        // A reporter that went away does not end the run.
        let _ = self.events.send(Event::CaseFinished(Arc::clone(&result)));
        result
    }
}
