//! The remaining work for the cases of an instance, and its order. Pure.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    case::ReadyCase,
    change_kinds::ChangeKinds,
    instance_results::InstanceResults,
    look::{FinishedLook, Look},
    outcome::JudgedLook,
    siblings::Kinship,
};
use crate::snapshot::DifferenceKind;

/// How long after a case the proxy may still stop because of it.
const LATE_HARM: Duration = Duration::from_secs(1);

/// The maximum number of groups into which suspects are split.
const GROUPS: usize = 8;

/// A look that is kept until another one confirms it.
pub(super) struct UnconfirmedLook<'r> {
    /// The look.
    pub seen: FinishedLook<'r>,
    /// Its judgement.
    pub judged: JudgedLook,
    /// Whether the case is repeated alone only because a finding depends on timing.
    pub about_time: bool,
}

/// The remaining work for the cases of an instance.
pub(super) struct Worklist<'r> {
    /// The results so far.
    pub done: InstanceResults,
    /// Which cases wait for their siblings.
    pub kinship: Kinship<'r>,
    /// Looks to run concurrently.
    todo: Vec<Look<'r>>,
    /// Looks to repeat concurrently, after everything has run once.
    again: Vec<Look<'r>>,
    /// Looks to run alone.
    alone: VecDeque<Look<'r>>,
    /// Groups of looks, one of which stopped the proxy. The looks of a group run concurrently.
    suspects: VecDeque<Vec<Look<'r>>>,
    /// The look that ran alone before the current one.
    before: Option<Look<'r>>,
    /// Running looks.
    open: Vec<Look<'r>>,
    /// Finished looks after which the proxy has not answered any request yet: it may have stopped.
    unconfirmed: Vec<FinishedLook<'r>>,
    /// Looks that are kept until another one confirms them, by case.
    pub earlier: HashMap<String, Vec<UnconfirmedLook<'r>>>,
    /// What other cases show about the changes of the looks in `earlier`; `None` if every case must confirm its own.
    kinds: Option<ChangeKinds>,
    /// Cases whose change other cases confirmed.
    believed: HashSet<String>,
    /// How long each case ran alone, over all looks.
    alone_time: HashMap<String, Duration>,
    /// Cases that delayed another caller while they ran alone.
    pub held_up: HashSet<String>,
    /// Cases that delayed another caller while other cases were running.
    pub held_up_among_others: HashSet<String>,
}

impl<'r> Worklist<'r> {
    /// Plans the first looks. Cases that are known to stop the proxy run last and alone. With `asks_all`, every case
    /// must confirm its own change.
    pub(super) fn new(
        cases: &'r [ReadyCase],
        stops_the_proxy: impl Fn(&ReadyCase) -> bool,
        asks_all: bool,
    ) -> Self {
        let (last, todo): (Vec<_>, Vec<_>) = cases.iter().partition(|ready| stops_the_proxy(ready));
        Self {
            done: InstanceResults::default(),
            kinship: Kinship::of(cases.iter().map(|ready| &ready.case)),
            todo: todo.into_iter().map(Look::first).collect(),
            again: Vec::new(),
            alone: last.into_iter().map(|ready| Look { alone: true, ..Look::first(ready) }).collect(),
            suspects: VecDeque::new(),
            before: None,
            open: Vec::new(),
            unconfirmed: Vec::new(),
            earlier: HashMap::new(),
            kinds: (!asks_all).then(ChangeKinds::default),
            believed: HashSet::new(),
            alone_time: HashMap::new(),
            held_up: HashSet::new(),
            held_up_among_others: HashSet::new(),
        }
    }

    /// Repeats a case later.
    pub(super) fn repeat(&mut self, look: Look<'r>) {
        if look.alone { self.alone.push_back(look) } else { self.again.push(look) }
    }

    /// Keeps a look until another one confirms it.
    pub(super) fn remember(&mut self, look: UnconfirmedLook<'r>) {
        self.earlier.entry(look.seen.look.ready.case.id.clone()).or_default().push(look);
    }

    /// Whether no look is running or unconfirmed.
    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty() && self.unconfirmed.is_empty()
    }

    /// The next looks to run concurrently; empty when everything is done. Must only be called when
    /// [`idle`](Self::is_idle).
    pub(super) fn next(&mut self) -> Vec<Look<'r>> {
        let batch = if let Some(group) = self.suspects.pop_front() {
            let alone = group.len() == 1;
            group.into_iter().map(|look| Look { alone, suspected: true, ..look }).collect()
        } else if !self.todo.is_empty() {
            std::mem::take(&mut self.todo)
        } else if !self.again.is_empty() {
            // A difference from the accepted snapshot needs two looks.
            self.next_again()
        } else {
            self.alone.pop_front().into_iter().collect()
        };
        self.open.clone_from(&batch);
        batch
    }

    /// The looks to repeat now: of each kind of change the first few, and everything else. Never empty.
    fn next_again(&mut self) -> Vec<Look<'r>> {
        let again = std::mem::take(&mut self.again);
        let must_ask = |look: &Look<'r>| match (&mut self.kinds, change_of(&self.earlier, look)) {
            (Some(kinds), Some(kind)) => kinds.must_ask(&kind, &look.ready.case.id),
            _ => true,
        };
        let (now, later): (Vec<_>, Vec<_>) = again.into_iter().partition(must_ask);
        if now.is_empty() {
            return later;
        }
        self.again = later;
        now
    }

    /// Compares another look at a case with the earlier ones.
    pub(super) fn learn(&mut self, look: &Look<'r>, judged: &JudgedLook) {
        let (Some(kinds), id) = (&mut self.kinds, &look.ready.case.id) else { return };
        for first in self.earlier.get(id).into_iter().flatten() {
            let is_another = !first.about_time && first.seen.look.n < look.n;
            if let Some(kind) = first.judged.change_kind().filter(|_| is_another) {
                kinds.learn(&kind, id, first.judged.is_like(judged));
            }
        }
    }

    /// Removes and returns the looks whose change other cases confirmed, so that they need not be repeated.
    pub(super) fn take_believed(&mut self) -> Vec<FinishedLook<'r>> {
        let Some(kinds) = &self.kinds else { return Vec::new() };
        let is_believed =
            |look: &Look<'r>| change_of(&self.earlier, look).is_some_and(|kind| kinds.is_believed(&kind));
        let (believed, again): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.again).into_iter().partition(is_believed);
        self.again = again;
        let id = |look: &Look<'r>| look.ready.case.id.clone();
        self.believed.extend(believed.iter().map(id));
        believed.iter().filter_map(|look| Some(self.earlier.get_mut(&id(look))?.pop()?.seen)).collect()
    }

    /// Whether other cases confirmed the change of a case.
    pub(super) fn is_believed(&self, case: &str) -> bool {
        self.believed.contains(case)
    }

    /// Records a finished look.
    pub(super) fn over(&mut self, seen: FinishedLook<'r>) {
        self.open.retain(|look| !look.is_at(&seen.look.ready.case.id));
        if seen.look.n > 0 {
            self.done.repeated += 1;
            self.done.repeated_time += seen.span.1 - seen.span.0;
        }
        if seen.look.alone {
            let (began, ended) = seen.span;
            *self.alone_time.entry(seen.look.ready.case.id.clone()).or_default() += ended - began;
        }
        self.unconfirmed.push(seen);
    }

    /// How many milliseconds a case ran alone, over all looks.
    pub(super) fn alone_ms(&self, id: &str) -> f64 {
        self.alone_time.get(id).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }

    /// The looks that had finished at `then`, when the proxy is known to have served. Suspected looks must have
    /// finished [`LATE_HARM`] earlier.
    pub(super) fn confirmed(&mut self, then: Instant) -> Vec<FinishedLook<'r>> {
        let is_confirmed = |seen: &FinishedLook<'r>| {
            let grace = if seen.look.suspected { LATE_HARM } else { Duration::ZERO };
            seen.span.1 + grace <= then
        };
        let (confirmed, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.unconfirmed).into_iter().partition(is_confirmed);
        self.unconfirmed = rest;
        if let Some(seen) = confirmed.iter().rfind(|seen| seen.look.alone) {
            self.before = Some(seen.look);
        }
        confirmed
    }

    /// The only look that was running or unconfirmed when the proxy stopped, if it ran alone and `is_proof` accepts it
    /// as the cause. Includes its result if it had finished.
    pub(super) fn take_culprit(
        &mut self,
        is_proof: impl Fn(&Look<'r>) -> bool,
    ) -> Option<(Look<'r>, Option<FinishedLook<'r>>)> {
        match (self.open.as_slice(), self.unconfirmed.as_slice()) {
            ([look], []) if look.alone && is_proof(look) => {
                let look = *look;
                self.open.clear();
                Some((look, None))
            }
            ([], [seen]) if seen.look.alone && is_proof(&seen.look) => {
                self.unconfirmed.pop().map(|seen| (seen.look, Some(seen)))
            }
            _ => None,
        }
    }

    /// Handles a stop of the proxy without a proven cause. The looks that had started become suspects, in at most
    /// eight groups; the others run later. Returns the ids of the suspects.
    pub(super) fn suspect(&mut self, has_begun: impl Fn(&Look<'r>) -> bool) -> Vec<String> {
        let over = std::mem::take(&mut self.unconfirmed).into_iter().map(|seen| seen.look);
        let (begun, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open).into_iter().partition(has_begun);
        let suspects: Vec<Look<'r>> = begun.into_iter().chain(over).collect();
        // The previous look already has a verdict, but it may have stopped the proxy with a delay.
        let before = self.before.take().filter(|_| suspects.len() == 1);
        let names = before.iter().chain(&suspects).map(|look| look.ready.case.id.clone()).collect();
        for look in rest {
            if look.n == 0 { self.todo.push(look) } else { self.repeat(look) }
        }
        let size = suspects.len().div_ceil(GROUPS).max(1);
        // The newest suspects come first.
        for group in suspects.chunks(size).rev() {
            self.suspects.push_front(group.to_vec());
        }
        names
    }

    /// Whether there is no work left.
    pub(super) fn is_done(&self) -> bool {
        self.is_idle()
            && self.suspects.is_empty()
            && self.todo.is_empty()
            && self.again.is_empty()
            && self.alone.is_empty()
    }

    /// Removes and returns all remaining looks, in no particular order.
    pub(super) fn give_up(&mut self) -> Vec<Look<'r>> {
        let mut rest: Vec<Look<'r>> = std::mem::take(&mut self.todo);
        rest.append(&mut self.again);
        rest.append(&mut self.open);
        rest.extend(self.suspects.drain(..).flatten().chain(self.alone.drain(..)));
        rest.extend(self.unconfirmed.drain(..).map(|seen| seen.look));
        rest
    }
}

/// The kind of change that a case showed in its only look so far.
fn change_of(earlier: &HashMap<String, Vec<UnconfirmedLook<'_>>>, look: &Look<'_>) -> Option<DifferenceKind> {
    match earlier.get(&look.ready.case.id)?.as_slice() {
        [only] if !only.about_time => only.judged.change_kind(),
        _ => None,
    }
}
