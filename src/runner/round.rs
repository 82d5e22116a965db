//! What is still to be done with the cases of one group, and in which order. Pure.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use super::{case::Ready, group::GroupDone, kinship::Kinship, outcome::Judged};
use crate::observation::Observation;

/// How long after a case a proxy may stop because of it.
const LATE_HARM: Duration = Duration::from_secs(1);

/// In so many groups suspects are run, so that they are soon few.
const GROUPS: usize = 8;

/// One look at a case: a run of it.
#[derive(Clone, Copy)]
pub struct Look<'r> {
    /// The case.
    pub ready: &'r Ready,
    /// 0-based number of the look.
    pub n: usize,
    /// Whether nothing else goes on meanwhile.
    pub alone: bool,
    /// Whether the proxy stopped while the case was under way before.
    pub suspected: bool,
}

impl<'r> Look<'r> {
    /// The first look at a case.
    pub fn first(ready: &'r Ready) -> Self {
        Self { ready, n: 0, alone: false, suspected: false }
    }

    /// The next one.
    pub fn next(self, alone: bool) -> Self {
        Self { n: self.n + 1, alone, suspected: false, ..self }
    }

    /// What tells it from every other look.
    pub fn key(&self) -> (String, usize) {
        (self.ready.case.id.clone(), self.n)
    }

    fn is_at(&self, id: &str) -> bool {
        self.ready.case.id == id
    }
}

/// What one look showed.
pub struct Seen<'r> {
    /// Which look it was.
    pub look: Look<'r>,
    /// Everything seen on both sides.
    pub observation: Observation,
    /// When it began and ended.
    pub span: (Instant, Instant),
}

/// A look that was not reported, kept until another one has confirmed it.
pub struct Earlier<'r> {
    /// What was seen.
    pub seen: Seen<'r>,
    /// What would be said of it.
    pub judged: Judged,
    /// It was run again alone only because time had a part in it.
    pub about_time: bool,
}

/// The work of a group, as far as it has come.
pub struct Round<'r> {
    /// What has become of it.
    pub done: GroupDone,
    /// Which cases wait for which.
    pub kinship: Kinship<'r>,
    /// To be run side by side.
    todo: Vec<Look<'r>>,
    /// To be run again side by side, when everything was run once.
    again: Vec<Look<'r>>,
    /// To be run alone.
    alone: VecDeque<Look<'r>>,
    /// In one of these groups is a case that stopped the proxy. Each group is run side by side.
    suspects: VecDeque<Vec<Look<'r>>>,
    /// The look that ran alone before the one that is under way.
    before: Option<Look<'r>>,
    /// Under way.
    open: Vec<Look<'r>>,
    /// Over, and the proxy has answered nobody since: it may have stopped.
    unconfirmed: Vec<Seen<'r>>,
    /// Looks that were not reported, by case.
    pub earlier: HashMap<String, Vec<Earlier<'r>>>,
    /// Cases that have held up another caller once while they ran alone.
    pub held_up: HashSet<String>,
    /// The same while other cases were under way.
    pub held_up_beside: HashSet<String>,
}

impl<'r> Round<'r> {
    /// Of all cases; those that are known to stop the proxy come last and alone.
    pub fn new(cases: &'r [Ready], stops_the_proxy: impl Fn(&Ready) -> bool) -> Self {
        let (last, todo): (Vec<_>, Vec<_>) = cases.iter().partition(|ready| stops_the_proxy(ready));
        Self {
            done: GroupDone::default(),
            kinship: Kinship::of(cases.iter().map(|ready| &ready.case)),
            todo: todo.into_iter().map(Look::first).collect(),
            again: Vec::new(),
            alone: last.into_iter().map(|ready| Look { alone: true, ..Look::first(ready) }).collect(),
            suspects: VecDeque::new(),
            before: None,
            open: Vec::new(),
            unconfirmed: Vec::new(),
            earlier: HashMap::new(),
            held_up: HashSet::new(),
            held_up_beside: HashSet::new(),
        }
    }

    /// Runs a case again later.
    pub fn repeat(&mut self, look: Look<'r>) {
        if look.alone { self.alone.push_back(look) } else { self.again.push(look) }
    }

    /// Keeps a look that is not reported.
    pub fn remember(&mut self, look: Earlier<'r>) {
        self.earlier.entry(look.seen.look.ready.case.id.clone()).or_default().push(look);
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.unconfirmed.is_empty()
    }

    /// What is to be run now, side by side; nothing when all is done. Call it only when
    /// [`idle`](Self::is_idle).
    pub fn next(&mut self) -> Vec<Look<'r>> {
        let batch = if let Some(group) = self.suspects.pop_front() {
            let alone = group.len() == 1;
            group.into_iter().map(|look| Look { alone, suspected: true, ..look }).collect()
        } else if !self.todo.is_empty() {
            std::mem::take(&mut self.todo)
        } else if !self.again.is_empty() {
            // What differs from the accepted snapshot is looked at twice before it is called a change.
            std::mem::take(&mut self.again)
        } else {
            self.alone.pop_front().into_iter().collect()
        };
        self.open.clone_from(&batch);
        batch
    }

    /// A look is over.
    pub fn over(&mut self, seen: Seen<'r>) {
        self.open.retain(|look| !look.is_at(&seen.look.ready.case.id));
        self.unconfirmed.push(seen);
    }

    /// The looks that were over at `then`, at which the proxy is known to have served; suspected ones are
    /// given time to do their harm.
    pub fn confirmed(&mut self, then: Instant) -> Vec<Seen<'r>> {
        let is_confirmed = |seen: &Seen<'r>| {
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

    /// The one look that was under way or just over, if there was no other and `is_proof` says that it is to
    /// blame for what the proxy did then. What was seen is there if it was over.
    pub fn take_culprit(
        &mut self,
        is_proof: impl Fn(&Look<'r>) -> bool,
    ) -> Option<(Look<'r>, Option<Seen<'r>>)> {
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

    /// The proxy stopped and nothing proves which case did it: those that had begun are suspects, in
    /// groups of which there are at most eight; the others are still to be run. Returns their names.
    pub fn suspect(&mut self, has_begun: impl Fn(&Look<'r>) -> bool) -> Vec<String> {
        let over = std::mem::take(&mut self.unconfirmed).into_iter().map(|seen| seen.look);
        let (begun, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open).into_iter().partition(has_begun);
        let suspects: Vec<Look<'r>> = begun.into_iter().chain(over).collect();
        // The one before has its verdict already. It is named, since its harm may have shown late.
        let before = self.before.take().filter(|_| suspects.len() == 1);
        let names = before.iter().chain(&suspects).map(|look| look.ready.case.id.clone()).collect();
        for look in rest {
            if look.n == 0 { self.todo.push(look) } else { self.repeat(look) }
        }
        let size = suspects.len().div_ceil(GROUPS).max(1);
        // Before what is suspected still: these have struck just now.
        for group in suspects.chunks(size).rev() {
            self.suspects.push_front(group.to_vec());
        }
        names
    }

    /// Whether nothing is left to be run.
    pub fn is_done(&self) -> bool {
        self.is_idle()
            && self.suspects.is_empty()
            && self.todo.is_empty()
            && self.again.is_empty()
            && self.alone.is_empty()
    }

    /// The cases that have no verdict yet, in no order.
    pub fn give_up(&mut self) -> Vec<Look<'r>> {
        let mut rest: Vec<Look<'r>> = std::mem::take(&mut self.todo);
        rest.append(&mut self.again);
        rest.append(&mut self.open);
        rest.extend(self.suspects.drain(..).flatten().chain(self.alone.drain(..)));
        rest.extend(self.unconfirmed.drain(..).map(|seen| seen.look));
        rest
    }
}
