//! Decides what follows from a look at a case: a verdict, another look, or waiting for siblings.

use std::{sync::PoisonError, time::Duration};

use super::{
    control::PROBE,
    gateway::Gateway,
    instance_run::InstanceRun,
    look::FinishedLook,
    outcome::{self, JudgedLook, unjudged},
    pace::SLOW,
    rendering::not_configured,
    worklist::{UnconfirmedLook, Worklist},
};
use crate::{
    judge::{CallerResponse, Verdict},
    observation::{Attempt, Observation, ProxyHarm, StepName},
    scenario::Case,
    snapshot::CaseSnapshot,
};

/// The maximum number of looks at a case whose looks all differ from the accepted snapshot and from each other.
const MOST_LOOKS: usize = 3;

/// After this many cases that could not be judged even alone, the machine is too busy, and no further cases are
/// repeated because of load: otherwise the run could take hours.
const BUSY: usize = 20;

/// How many cases are repeated alone only because they may have delayed another caller.
const HELD_UP_CASES: usize = 10;

/// A request must be delayed by at least this long for a case to be the suspected cause.
const HELD_UP_MS: f64 = 1000.0;

/// The maximum time between the end of a request and the response to the one that it delayed.
const TOGETHER_MS: f64 = 250.0;

impl InstanceRun<'_> {
    /// Decides whether a case is reported, waits for its siblings, or is repeated.
    pub(super) fn weigh<'r>(&self, round: &mut Worklist<'r>, mut seen: FinishedLook<'r>) {
        let (look, case) = (seen.look, &seen.look.ready.case);
        if let Some(reason) = self.is_not_configured(case, &seen.observation) {
            return self.without_verdict(round, case, Verdict::Skipped, reason, Some(seen.observation));
        }
        if seen.observation.harm.is_none()
            && let Some(harm) = self.held_up_others(&seen)
        {
            if !look.alone {
                // Another case that ran at the same time may be the cause.
                let is_first = round.held_up_among_others.insert(case.id.clone());
                if is_first && round.held_up_among_others.len() <= HELD_UP_CASES {
                    return round.repeat(look.next(true));
                }
            } else if round.held_up.insert(case.id.clone()) {
                return round.repeat(look.next(true));
            } else {
                seen.observation.harm = Some(harm);
            }
        }
        let judged = self.bench.judge(case, &seen.observation, &round.kinship.compared_siblings(case));
        round.learn(&look, &judged);
        let slow = self.pacer.slowest_between(seen.span.0, seen.span.1).filter(|took| *took > SLOW);
        if !look.alone && self.needs_quiet(slow, &judged) {
            if slow.is_none() {
                round.remember(UnconfirmedLook { seen, judged, about_time: true });
            } else if round.done.busy >= BUSY {
                let reason =
                    format!("the machine is too busy: {BUSY} earlier cases could not be judged even alone");
                return self.unjudged(round, case, reason, Some(seen.observation));
            }
            round.repeat(look.next(true));
        } else if let Some(took) = slow.filter(|_| is_spoilt_by_load(&seen, &judged)) {
            round.done.busy += 1;
            let reason = format!(
                "control requests took up to {} ms while this case ran alone: the machine is too busy for a verdict",
                took.as_millis()
            );
            self.unjudged(round, case, reason, Some(seen.observation));
        } else if is_unsettled(round, &seen, &judged) {
            round.remember(UnconfirmedLook { seen, judged, about_time: false });
            round.repeat(look.next(look.alone));
        } else if round.kinship.must_wait(case) {
            round.kinship.wait(seen);
        } else {
            self.report(round, seen, judged);
        }
    }

    /// Whether the case must be repeated alone, because a finding depends on timing or the machine was busy.
    fn needs_quiet(&self, slow: Option<Duration>, judged: &JudgedLook) -> bool {
        let embedded = matches!(self.gateway, Gateway::Builtin(_));
        let is_news = judged.is_news() || judged.contradicts_an_entry();
        // The embedded proxy shares this process, so the control requests show when it is slow.
        match slow {
            Some(_) => judged.is_about_time() || is_news,
            None => judged.is_about_time() && is_news && !embedded,
        }
    }

    /// The harm to another caller that got its response only after a request of this case had ended, whose upstream
    /// was silent.
    fn held_up_others(&self, seen: &FinishedLook<'_>) -> Option<ProxyHarm> {
        let ms = |instant: tokio::time::Instant| instant.duration_since(seen.span.0).as_secs_f64() * 1000.0;
        let probes = self.pacer.samples_between(seen.span.0, seen.span.1);
        let probes = probes.into_iter().filter(|(began, took)| *began >= seen.span.0 && *took < PROBE);
        probes
            .map(|(began, took)| (ms(began), ms(began + took)))
            .find(|(sent_ms, answered_ms)| is_held_up(&seen.observation, *sent_ms, *answered_ms))
            .map(|(sent_ms, answered_ms)| ProxyHarm::HeldUpOthers { sent_ms, answered_ms })
    }

    /// Reports the final result of a case that was judged.
    fn report<'r>(&self, round: &mut Worklist<'r>, seen: FinishedLook<'r>, judged: JudgedLook) {
        let case = &seen.look.ready.case;
        let earlier = round.earlier.remove(&case.id).unwrap_or_default();
        let looks = 1 + earlier.iter().filter(|one| !one.about_time).count();
        let alike = earlier.iter().filter(|one| !one.about_time && one.judged.is_like(&judged)).count() + 1;
        let note = (alike < looks).then(|| {
            let which = if judged.is_news() { "like this one" } else { "as accepted" };
            format!("differs between repetitions: {alike} of {looks} {which}")
        });
        let snapshots = self.to_record(case, &earlier, &judged);
        // If a later look only confirms the first one, the first one is shown.
        let first = earlier.into_iter().next().filter(|first| first.judged.is_like(&judged));
        let (observation, judged) = match first {
            Some(first) => (first.seen.observation, JudgedLook { verdict: judged.verdict, ..first.judged }),
            None => (seen.observation, judged),
        };
        let failed_by = (judged.verdict, judged.unaccepted.clone());
        round.done.verdicts.insert(case.id.clone(), failed_by);
        let mut spool = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        for form in &snapshots {
            match spool.push(form) {
                Ok(place) => round.done.snapshots.push((case.scenario.id.clone(), place)),
                Err(error) => round.done.not_kept = Some(error),
            }
        }
        drop(spool);
        let seen = round.kinship.is_wanted(&case.id).then(|| observation.clone());
        self.result(round, outcome::judged(case, judged, observation, note));
        round.kinship.settle(&case.id, seen);
    }

    /// The forms for the snapshot of a case: one for each distinct look. Accepted forms are kept if one of them was
    /// observed.
    fn to_record(
        &self,
        case: &Case,
        earlier: &[UnconfirmedLook<'_>],
        judged: &JudgedLook,
    ) -> Vec<CaseSnapshot> {
        let mut forms = vec![judged.snapshot.clone()];
        let looks = earlier.iter().filter(|one| !one.about_time).map(|one| &one.judged.snapshot);
        let stays = !judged.is_news();
        for form in looks.chain(self.bench.forms(case).filter(|_| stays)) {
            if !forms.iter().any(|known| known.text == form.text) {
                forms.push(form.clone());
            }
        }
        // The order must not depend on which form was observed first.
        forms.sort_by(|a, b| a.text.cmp(&b.text));
        forms
    }

    /// Reports the final result of a case that could not be judged.
    pub(super) fn unjudged(
        &self,
        round: &mut Worklist<'_>,
        case: &Case,
        reason: String,
        observation: Option<Observation>,
    ) {
        self.without_verdict(round, case, Verdict::Inconclusive, reason, observation);
    }

    fn without_verdict(
        &self,
        round: &mut Worklist<'_>,
        case: &Case,
        verdict: Verdict,
        reason: String,
        observation: Option<Observation>,
    ) {
        self.result(round, unjudged(case, verdict, reason, observation));
        round.kinship.settle(&case.id, None);
    }

    /// Why a proxy that upfault did not start does not have the routes of a case, if so: its configuration may have been
    /// changed by hand. A configured proxy sends at least the last request of the case to the provider, which is healthy then.
    fn is_not_configured(&self, case: &Case, observation: &Observation) -> Option<String> {
        let is_attached = matches!(self.gateway, Gateway::Attached(..));
        if !is_attached || observation.harm.is_some() || !observation.attempts.is_empty() {
            return None;
        }
        let last = observation.exchanges.last().filter(|last| last.step == StepName::Recovery)?;
        let refused = last.answer().is_some_and(|answer| answer.status >= 400);
        let got = CallerResponse::of(last, case.combination.api).describe();
        refused.then(|| {
            not_configured(&format!(
                "none of its requests arrived at its mock, not even the last one, when the provider is \
                 healthy; the proxy answered it with {got}"
            ))
        })
    }
}

/// Whether load may have caused a finding of this look, which ran alone. It has not if a request of the case kept the
/// others waiting: then that is why control requests were slow.
fn is_spoilt_by_load(seen: &FinishedLook<'_>, judged: &JudgedLook) -> bool {
    let explained = seen.observation.harm.is_some() || judged.breaks("process.serves-others");
    seen.look.alone && judged.is_about_time() && !explained
}

/// Whether a difference from the accepted snapshot or from a known finding needs another look to confirm it: one more if the next look differs
/// in the same way, otherwise two.
fn is_unsettled(round: &Worklist<'_>, seen: &FinishedLook<'_>, judged: &JudgedLook) -> bool {
    let differs = (judged.is_news() && judged.change.is_some()) || judged.contradicts_an_entry();
    // A later look that ran alone is final.
    let is_last_word = seen.look.alone && seen.look.n > 0;
    let id = &seen.look.ready.case.id;
    if !differs || is_last_word || seen.observation.stopped_the_proxy() || round.is_believed(id) {
        return false;
    }
    let earlier = round.earlier.get(id).map_or(&[][..], Vec::as_slice);
    let is_confirmed = earlier.iter().any(|one| one.judged.is_like(judged));
    !is_confirmed && earlier.len() + 1 < MOST_LOOKS
}

/// Whether a control request that was sent and answered at these times was delayed by a request of the case: an upstream
/// of the case was silent in between, and the response came when the request of the case ended.
fn is_held_up(observation: &Observation, sent_ms: f64, answered_ms: f64) -> bool {
    let is_silent_meanwhile = |attempt: &Attempt| {
        let until = attempt.end_ms.map_or(answered_ms, |end_ms| end_ms.min(answered_ms));
        until - attempt.at_ms.max(sent_ms) >= HELD_UP_MS
    };
    let is_end = |end_ms: f64| (-TOGETHER_MS / 5.0..TOGETHER_MS).contains(&(answered_ms - end_ms));
    answered_ms - sent_ms >= HELD_UP_MS
        && observation.attempts.iter().any(is_silent_meanwhile)
        && observation.exchanges.iter().any(|exchange| exchange.sent_ms <= sent_ms && is_end(exchange.end_ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::sample_observation;

    /// A request from 0 to 4000 ms, whose upstream is silent.
    fn silent() -> Observation {
        let mut seen = sample_observation();
        (seen.exchanges[0].sent_ms, seen.exchanges[0].end_ms) = (0.0, 4000.0);
        (seen.attempts[0].at_ms, seen.attempts[0].end_ms) = (5.0, Some(4000.0));
        seen
    }

    #[test]
    fn a_request_that_waited_for_a_silent_one_was_held_up() {
        assert!(is_held_up(&silent(), 200.0, 4010.0));
        let mut open = silent();
        open.attempts[0].end_ms = None;
        assert!(is_held_up(&open, 200.0, 4010.0), "the proxy never ended the upstream request");
        let mut queued = silent();
        queued.attempts[0].at_ms = 300.0;
        assert!(is_held_up(&queued, 200.0, 4010.0), "both waited for a third request");
    }

    #[test]
    fn a_request_that_was_answered_before_or_long_after_was_not_held_up() {
        for (sent_ms, answered_ms) in [(200.0, 2000.0), (200.0, 5000.0), (3500.0, 4010.0), (4001.0, 9000.0)] {
            assert!(!is_held_up(&silent(), sent_ms, answered_ms), "{sent_ms} to {answered_ms}");
        }
    }

    #[test]
    fn a_slow_proxy_without_a_silent_upstream_holds_up_no_request() {
        let mut quick = silent();
        quick.attempts[0].end_ms = Some(20.0);
        assert!(!is_held_up(&quick, 200.0, 4010.0));
    }
}
