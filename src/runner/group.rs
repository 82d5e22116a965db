//! The cases that share one instance: side by side first, alone where that did not settle it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc::UnboundedSender, watch},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use super::{
    case::Ready,
    control::Control,
    error::Died,
    gateway::Gateway,
    kinship::Kinship,
    outcome::{self, Bench, Judged, unjudged},
    pace::{Pacer, SLOW},
};
use crate::{
    client::Driver,
    event::{CaseResult, Event},
    judge::Verdict,
    observation::{Ending, Observation, Outcome},
    snapshot::CaseSnapshot,
};

/// How often a control request is sent.
const PULSE: Duration = Duration::from_millis(200);

/// Everything that the cases of one group need.
pub struct Group<'a> {
    /// The instance.
    pub gateway: &'a Gateway,
    /// Requests of upfault's own.
    pub control: &'a Control,
    /// How many cases at once.
    pub pacer: Pacer,
    /// The downstream side.
    pub driver: &'a Driver,
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
    /// The proxy ended before its cases did.
    pub died: Option<Died>,
}

/// One run of one case, with the word on whether it can be trusted.
pub struct Seen<'r> {
    /// The case.
    pub ready: &'r Ready,
    /// The how-manieth look at it this is, from 0.
    look: usize,
    observation: Observation,
    /// The slowest control request meanwhile, where it was slow.
    slow: Option<Duration>,
}

/// The look at which nothing else is going on.
const ALONE: usize = 2;

/// The work of a group, as far as it has come.
struct Round<'r> {
    done: GroupDone,
    kinship: Kinship<'r>,
    /// To be looked at twice.
    again: Vec<&'r Ready>,
    /// To be looked at in quiet.
    alone: VecDeque<&'r Ready>,
}

impl Group<'_> {
    /// Runs every case and tells its result as soon as it stands.
    pub async fn run(&self, cases: &[Ready]) -> GroupDone {
        let (pulse_end, pulse) = watch::channel(());
        let (death, _) = watch::channel(None);
        let work = async {
            let done = self.cases(cases, &death).await;
            drop(pulse_end);
            done
        };
        let (mut done, ()) = tokio::join!(work, self.pulse(pulse, &death));
        done.died = death.borrow().clone();
        done
    }

    /// Sends control requests and watches the process until the cases are done.
    async fn pulse(&self, mut end: watch::Receiver<()>, death: &watch::Sender<Option<Died>>) {
        let mut tick = tokio::time::interval(PULSE);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = end.changed() => return,
                () = self.cancel.cancelled() => return,
                _ = tick.tick() => {}
            }
            if let Some(died) = self.gateway.died() {
                death.send_replace(Some(died));
                return;
            }
            let began = Instant::now();
            tokio::select! {
                _ = end.changed() => return,
                () = self.cancel.cancelled() => return,
                took = self.control.probe(self.gateway, self.driver) => self.pacer.sample(began, took),
            }
        }
    }

    async fn cases(&self, cases: &[Ready], death: &watch::Sender<Option<Died>>) -> GroupDone {
        let mut round = Round {
            done: GroupDone::default(),
            kinship: Kinship::of(cases.iter().map(|ready| &ready.case)),
            again: Vec::new(),
            alone: VecDeque::new(),
        };
        let mut running: FuturesUnordered<_> =
            cases.iter().map(|ready| self.paced(ready, 0, death)).collect();
        loop {
            while let Some((ready, seen)) = running.next().await {
                self.take(&mut round, ready, seen);
            }
            // What differs from the accepted snapshot is looked at twice before it is called a change.
            if !round.again.is_empty() {
                running.extend(round.again.drain(..).map(|ready| self.paced(ready, 1, death)));
            } else if let Some(ready) = round.alone.pop_front() {
                let seen = self.once(ready, 2, death).await;
                self.take(&mut round, ready, seen);
            } else {
                // Nobody waits: those that are held against each other stand in no circle, and each case has
                // been told or given up.
                return round.done;
            }
        }
    }

    /// Takes in one run of a case, and tells whatever stands now.
    fn take<'r>(&self, round: &mut Round<'r>, ready: &Ready, seen: Option<Seen<'r>>) {
        match seen {
            Some(seen) => self.weigh(round, seen),
            None => round.kinship.settle(&ready.case.id, None),
        }
        while let Some(seen) = round.kinship.released() {
            self.weigh(round, seen);
        }
    }

    /// Decides whether a case is told, waits for its siblings, or is looked at again.
    fn weigh<'r>(&self, round: &mut Round<'r>, seen: Seen<'r>) {
        let case = &seen.ready.case;
        let judged = self.bench.judge(case, &seen.observation, &round.kinship.beside(case));
        if seen.look < ALONE && self.needs_quiet(&seen, &judged) {
            round.alone.push_back(seen.ready);
        } else if seen.look == 0 && judged.is_news() && judged.change.is_some() {
            round.again.push(seen.ready);
        } else if let Some(reason) = too_busy(&seen, &judged) {
            self.result(unjudged(case, Verdict::Inconclusive, reason, Some(seen.observation)));
            round.kinship.settle(&case.id, None);
        } else if round.kinship.must_wait(case) {
            round.kinship.wait(seen);
        } else {
            self.tell(round, seen, judged);
        }
    }

    /// What time had a part in is run again alone before anything is said.
    fn needs_quiet(&self, seen: &Seen<'_>, judged: &Judged) -> bool {
        let embedded = matches!(self.gateway, Gateway::Builtin(_));
        let suspicious = judged.is_about_time() || judged.is_news();
        // The embedded proxy shares our process: what slows it slows the control requests as well.
        (seen.slow.is_some() && suspicious) || (judged.is_about_time() && !embedded)
    }

    async fn paced<'r>(
        &self,
        ready: &'r Ready,
        look: usize,
        death: &watch::Sender<Option<Died>>,
    ) -> (&'r Ready, Option<Seen<'r>>) {
        let _place = tokio::select! {
            place = self.pacer.enter() => place,
            () = self.cancel.cancelled() => return (ready, None),
        };
        (ready, self.once(ready, look, death).await)
    }

    /// Runs a case once, for the n-th look at it; `None` if the run or the proxy ended meanwhile.
    async fn once<'r>(
        &self,
        ready: &'r Ready,
        look: usize,
        death: &watch::Sender<Option<Died>>,
    ) -> Option<Seen<'r>> {
        let lost = |how: &str| {
            let reason = format!("the proxy ended while this case was to run: {how}");
            self.result(unjudged(&ready.case, Verdict::Inconclusive, reason, None));
        };
        let mut died = death.subscribe();
        if let Some(died) = died.borrow().as_ref() {
            lost(&died.how);
            return None;
        }
        let began = Instant::now();
        let _ = self.events.send(Event::CaseStarted { id: ready.case.id.clone() });
        let observation = tokio::select! {
            observation = ready.look(look).run(self.gateway, self.driver) => observation,
            () = self.cancel.cancelled() => return None,
            Ok(changed) = died.wait_for(Option::is_some) => {
                lost(changed.as_ref().map_or("", |died| died.how.as_str()));
                return None;
            }
        };
        // The pulse looks at the process now and then; a proxy that died under this case is seen here.
        if let Some(died) = self.death_behind(&observation).await {
            lost(&died.how);
            // Without this the run would end before the pulse looks again, and nobody would be told.
            death.send_replace(Some(died));
            return None;
        }
        let slow = self.pacer.slowest_between(began, Instant::now()).filter(|took| *took > SLOW);
        Some(Seen { ready, look, observation, slow })
    }

    /// How the proxy ended, if it did. Its connections close a moment before its process can be seen
    /// to have ended, so where nobody answered that moment is waited for.
    async fn death_behind(&self, observation: &Observation) -> Option<Died> {
        const MOMENT: Duration = Duration::from_millis(200);
        let nobody = Outcome::NoAnswer { ending: Ending::Refused };
        let silent = observation.exchanges.last().is_some_and(|last| last.outcome == nobody);
        let end = Instant::now() + if silent { MOMENT } else { Duration::ZERO };
        loop {
            match self.gateway.died() {
                None if Instant::now() < end => tokio::time::sleep(Duration::from_millis(10)).await,
                died => return died,
            }
        }
    }

    fn tell(&self, round: &mut Round<'_>, seen: Seen<'_>, judged: Judged) {
        let case = &seen.ready.case;
        let note = (seen.look == 1 && !judged.is_news())
            .then(|| "the first of two runs differed from the accepted snapshot".to_owned());
        round.done.snapshots.push((case.scenario.id.clone(), judged.snapshot.clone()));
        let result = self.result(outcome::judged(case, judged, seen.observation, note));
        round.kinship.settle(&case.id, Some(result));
    }

    fn result(&self, result: CaseResult) -> Arc<CaseResult> {
        let result = Arc::new(result);
        // A reporter that went away does not end the run.
        let _ = self.events.send(Event::CaseFinished(Arc::clone(&result)));
        result
    }
}

/// Why nothing can be said of a case that was run alone: the machine was busy even then.
fn too_busy(seen: &Seen<'_>, judged: &Judged) -> Option<String> {
    let took = seen.slow.filter(|_| seen.look == ALONE && judged.is_about_time())?;
    Some(format!(
        "control requests took up to {} ms while this case ran alone: the machine is too busy to tell",
        took.as_millis()
    ))
}
