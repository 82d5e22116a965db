//! What is made of one look at a case: a verdict, another look, or none.

use std::time::Duration;

use super::{
    control::PROBE,
    gateway::Gateway,
    group::Group,
    outcome::{self, Judged, unjudged},
    pace::SLOW,
    round::{Earlier, Round, Seen},
};
use crate::{
    judge::Verdict,
    observation::{Attempt, Harm, Observation},
    scenario::Case,
    snapshot::CaseSnapshot,
};

/// Looks at a case that differs from the accepted snapshot, and each time in another way.
const MOST_LOOKS: usize = 3;

/// After so many cases that could not be judged even alone the machine is known to be too busy. No
/// further case is repeated for that reason, so that the run comes to an end.
const BUSY: usize = 20;

/// So many cases are run alone only because another caller's request seems to have waited for them.
const HELD_UP_CASES: usize = 10;

/// A request of another caller that waits for less than this may have waited for anything.
const HELD_UP_MS: f64 = 1000.0;

/// How close together the end of a request and the answer to the one that it held up are.
const TOGETHER_MS: f64 = 250.0;

impl Group<'_> {
    /// Decides whether a case is reported, waits for its siblings, or is run again.
    pub(super) fn weigh<'r>(&self, round: &mut Round<'r>, mut seen: Seen<'r>) {
        let (look, case) = (seen.look, &seen.look.ready.case);
        if seen.observation.harm.is_none()
            && let Some(harm) = self.held_up_others(&seen)
        {
            if !look.alone {
                // Beside others it may be one of those that is to blame.
                let is_first = round.held_up_beside.insert(case.id.clone());
                if is_first && round.held_up_beside.len() <= HELD_UP_CASES {
                    return round.repeat(look.next(true));
                }
            } else if round.held_up.insert(case.id.clone()) {
                return round.repeat(look.next(true));
            } else {
                seen.observation.harm = Some(harm);
            }
        }
        let judged = self.bench.judge(case, &seen.observation, &round.kinship.beside(case));
        let slow = self.pacer.slowest_between(seen.span.0, seen.span.1).filter(|took| *took > SLOW);
        if !look.alone && self.needs_quiet(slow, &judged) {
            if slow.is_none() {
                round.remember(Earlier { seen, judged, about_time: true });
            } else if round.done.busy >= BUSY {
                let reason = format!(
                    "the machine is too busy: {BUSY} cases before this one could not be decided even alone"
                );
                return self.unjudged(round, case, reason, Some(seen.observation));
            }
            round.repeat(look.next(true));
        } else if let Some(took) = slow.filter(|_| is_spoilt_by_load(&seen, &judged)) {
            round.done.busy += 1;
            let reason = format!(
                "control requests took up to {} ms while this case ran alone: the machine is too busy to tell",
                took.as_millis()
            );
            self.unjudged(round, case, reason, Some(seen.observation));
        } else if is_unsettled(round, &seen, &judged) {
            round.remember(Earlier { seen, judged, about_time: false });
            round.repeat(look.next(look.alone));
        } else if round.kinship.must_wait(case) {
            round.kinship.wait(seen);
        } else {
            self.report(round, seen, judged);
        }
    }

    /// What time had a part in is run again alone before anything is said.
    fn needs_quiet(&self, slow: Option<Duration>, judged: &Judged) -> bool {
        let embedded = matches!(self.gateway, Gateway::Builtin(_));
        let suspicious = judged.is_about_time() || judged.is_news();
        // The embedded proxy shares our process: what slows it slows the control requests as well.
        (slow.is_some() && suspicious) || (judged.is_about_time() && !embedded)
    }

    /// Whether another caller got its answer only when a request of this case was over, while the
    /// upstream of that request kept silent.
    fn held_up_others(&self, seen: &Seen<'_>) -> Option<Harm> {
        let ms = |instant: tokio::time::Instant| instant.duration_since(seen.span.0).as_secs_f64() * 1000.0;
        let probes = self.pacer.samples_between(seen.span.0, seen.span.1);
        let probes = probes.into_iter().filter(|(began, took)| *began >= seen.span.0 && *took < PROBE);
        probes
            .map(|(began, took)| (ms(began), ms(began + took)))
            .find(|(sent_ms, answered_ms)| is_held_up(&seen.observation, *sent_ms, *answered_ms))
            .map(|(sent_ms, answered_ms)| Harm::HeldUpOthers { sent_ms, answered_ms })
    }

    /// The last word on a case that was judged.
    fn report<'r>(&self, round: &mut Round<'r>, seen: Seen<'r>, judged: Judged) {
        let case = &seen.look.ready.case;
        let earlier = round.earlier.remove(&case.id).unwrap_or_default();
        let looks = 1 + earlier.iter().filter(|one| !one.about_time).count();
        let alike = earlier.iter().filter(|one| !one.about_time && one.judged.is_like(&judged)).count() + 1;
        let note = (alike < looks).then(|| {
            let which = if judged.is_news() { "like this one" } else { "as accepted" };
            format!("differs between looks: {alike} of {looks} {which}")
        });
        let snapshots = self.to_record(case, &earlier, &judged);
        // What a later look only confirms is shown as it was seen first.
        let first = earlier.into_iter().next().filter(|first| first.judged.is_like(&judged));
        let (observation, judged) = match first {
            Some(first) => (first.seen.observation, Judged { verdict: judged.verdict, ..first.judged }),
            None => (seen.observation, judged),
        };
        round.done.snapshots.extend(snapshots.into_iter().map(|form| (case.scenario.id.clone(), form)));
        let result = self.result(outcome::judged(case, judged, observation, note));
        round.kinship.settle(&case.id, Some(result));
    }

    /// What a snapshot of a case would hold: one form, or each form in which it was seen where its looks
    /// differ. Forms that were accepted before stay if one of them was seen.
    fn to_record(&self, case: &Case, earlier: &[Earlier<'_>], judged: &Judged) -> Vec<CaseSnapshot> {
        let mut forms = vec![judged.snapshot.clone()];
        let looks = earlier.iter().filter(|one| !one.about_time).map(|one| &one.judged.snapshot);
        let stays = !judged.is_news();
        for form in looks.chain(self.bench.forms(case).filter(|_| stays)) {
            if !forms.iter().any(|known| known.text == form.text) {
                forms.push(form.clone());
            }
        }
        // In an order that does not depend on which was seen first.
        forms.sort_by(|a, b| a.text.cmp(&b.text));
        forms
    }

    /// The last word on a case that could not be judged.
    pub(super) fn unjudged(
        &self,
        round: &mut Round<'_>,
        case: &Case,
        reason: String,
        observation: Option<Observation>,
    ) {
        self.result(unjudged(case, Verdict::Inconclusive, reason, observation));
        round.kinship.settle(&case.id, None);
    }
}

/// Whether a finding of this look may be the machine's doing: it was busy even while the case ran alone.
fn is_spoilt_by_load(seen: &Seen<'_>, judged: &Judged) -> bool {
    seen.look.alone && seen.observation.harm.is_none() && judged.is_about_time()
}

/// Whether a case that differs from the accepted snapshot is run once more before that is said: once
/// where it then differs in the same way, twice where it does not.
fn is_unsettled(round: &Round<'_>, seen: &Seen<'_>, judged: &Judged) -> bool {
    let differs = judged.is_news() && judged.change.is_some();
    // A look alone that follows another one is the last word already.
    let is_last_word = seen.look.alone && seen.look.n > 0;
    if !differs || is_last_word || seen.observation.stopped_the_proxy() {
        return false;
    }
    let earlier = round.earlier.get(&seen.look.ready.case.id).map_or(&[][..], Vec::as_slice);
    let is_confirmed = earlier.iter().any(|one| one.judged.is_like(judged));
    !is_confirmed && earlier.len() + 1 < MOST_LOOKS
}

/// Whether a request that was sent and answered then waited for one of the case: an upstream of the case
/// was silent meanwhile, and the answer came when the case's request was over.
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

    /// One request from 0 to 4000 ms, whose upstream was silent for that long.
    fn silent() -> Observation {
        let mut seen = sample_observation();
        (seen.exchanges[0].sent_ms, seen.exchanges[0].end_ms) = (0.0, 4000.0);
        (seen.attempts[0].at_ms, seen.attempts[0].end_ms) = (5.0, Some(4000.0));
        seen
    }

    #[test]
    fn another_request_that_waited_for_the_end_of_a_silent_one_was_held_up() {
        assert!(is_held_up(&silent(), 200.0, 4010.0));
        let mut open = silent();
        open.attempts[0].end_ms = None;
        assert!(is_held_up(&open, 200.0, 4010.0), "an upstream that the proxy never let go");
        let mut queued = silent();
        queued.attempts[0].at_ms = 300.0;
        assert!(is_held_up(&queued, 200.0, 4010.0), "both waited for a third request first");
    }

    #[test]
    fn one_that_was_answered_before_or_long_after_waited_for_something_else() {
        for (sent_ms, answered_ms) in [(200.0, 2000.0), (200.0, 5000.0), (3500.0, 4010.0), (4001.0, 9000.0)] {
            assert!(!is_held_up(&silent(), sent_ms, answered_ms), "{sent_ms} to {answered_ms}");
        }
    }

    #[test]
    fn a_proxy_that_is_slow_while_no_upstream_is_silent_holds_up_nobody() {
        let mut quick = silent();
        quick.attempts[0].end_ms = Some(20.0);
        assert!(!is_held_up(&quick, 200.0, 4010.0));
    }
}
