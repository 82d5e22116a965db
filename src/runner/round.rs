//! What is still to be done with the cases of one group, and in which order. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio::time::Instant;

use super::{case::Ready, group::GroupDone, kinship::Kinship, outcome::Judged};
use crate::observation::Observation;

/// One look at a case: a run of it.
#[derive(Clone, Copy)]
pub struct Look<'r> {
    /// The case.
    pub ready: &'r Ready,
    /// 0-based number of the look.
    pub n: usize,
    /// Whether nothing else goes on meanwhile.
    pub alone: bool,
}

impl<'r> Look<'r> {
    /// The first look at a case.
    pub fn first(ready: &'r Ready) -> Self {
        Self { ready, n: 0, alone: false }
    }

    /// The next one.
    pub fn next(self, alone: bool) -> Self {
        Self { n: self.n + 1, alone, ..self }
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
    /// One of these stopped the proxy.
    suspects: VecDeque<Look<'r>>,
    /// How many suspects are run at once, so that they are soon few.
    suspects_at_once: usize,
    /// Under way.
    open: Vec<Look<'r>>,
    /// Over, and the proxy has answered nobody since: it may have stopped.
    unconfirmed: Vec<Seen<'r>>,
    /// Looks that were not reported, by case.
    pub earlier: HashMap<String, Vec<Earlier<'r>>>,
    /// Cases that have held up another caller once.
    pub held_up: HashSet<String>,
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
            suspects_at_once: 1,
            open: Vec::new(),
            unconfirmed: Vec::new(),
            earlier: HashMap::new(),
            held_up: HashSet::new(),
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
        let few = self.suspects_at_once.min(self.suspects.len());
        let batch = if few > 0 {
            let few: Vec<_> = self.suspects.drain(..few).collect();
            let alone = few.len() == 1;
            few.into_iter().map(|look| Look { alone, ..look }).collect()
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

    /// The looks that were over at `then`, at which the proxy is known to have served.
    pub fn confirmed(&mut self, then: Instant) -> Vec<Seen<'r>> {
        let (confirmed, rest) =
            std::mem::take(&mut self.unconfirmed).into_iter().partition(|seen| seen.span.1 <= then);
        self.unconfirmed = rest;
        confirmed
    }

    /// The one look that was under way or just over, if there was no other: what the proxy did then it
    /// did because of it. What was seen is there if it was over.
    pub fn take_only(&mut self) -> Option<(Look<'r>, Option<Seen<'r>>)> {
        match (self.open.as_slice(), self.unconfirmed.len()) {
            ([look], 0) if look.alone => {
                let look = *look;
                self.open.clear();
                Some((look, None))
            }
            ([], 1) if self.unconfirmed[0].look.alone => {
                self.unconfirmed.pop().map(|seen| (seen.look, Some(seen)))
            }
            _ => None,
        }
    }

    /// The proxy stopped while several cases were under way: those that had begun are suspects, in
    /// groups of which there are at most eight; the others are still to be run.
    pub fn suspect(&mut self, has_begun: impl Fn(&Look<'r>) -> bool) -> Vec<String> {
        let over = std::mem::take(&mut self.unconfirmed).into_iter().map(|seen| seen.look);
        let (begun, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open).into_iter().partition(has_begun);
        let suspects: Vec<Look<'r>> = begun.into_iter().chain(over).collect();
        let names = suspects.iter().map(|look| look.ready.case.id.clone()).collect();
        for look in rest {
            if look.n == 0 { self.todo.push(look) } else { self.repeat(look) }
        }
        self.suspects_at_once = suspects.len().div_ceil(8).max(1);
        // Before what is suspected still: these have struck just now.
        for look in suspects.into_iter().rev() {
            self.suspects.push_front(look);
        }
        names
    }

    /// The cases that have no verdict yet, in no order.
    pub fn give_up(&mut self) -> Vec<Look<'r>> {
        let mut rest: Vec<Look<'r>> = std::mem::take(&mut self.todo);
        rest.append(&mut self.again);
        rest.append(&mut self.open);
        rest.extend(self.suspects.drain(..).chain(self.alone.drain(..)));
        rest.extend(self.unconfirmed.drain(..).map(|seen| seen.look));
        rest
    }
}
