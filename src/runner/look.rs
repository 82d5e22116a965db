//! One run of a case, and its result.

use tokio::time::Instant;

use super::case::ReadyCase;
use crate::observation::Observation;

/// One look at a case: it runs once.
#[derive(Clone, Copy)]
pub(super) struct Look<'r> {
    /// The case.
    pub ready: &'r ReadyCase,
    /// 0-based number of the look.
    pub n: usize,
    /// Whether no other case runs at the same time.
    pub alone: bool,
    /// Whether the proxy stopped earlier while the case was running.
    pub suspected: bool,
}

impl<'r> Look<'r> {
    /// The first look at a case.
    pub(super) fn first(ready: &'r ReadyCase) -> Self {
        Self { ready, n: 0, alone: false, suspected: false }
    }

    /// The next look.
    pub(super) fn next(self, alone: bool) -> Self {
        Self { n: self.n + 1, alone, suspected: false, ..self }
    }

    /// A unique key of the look.
    pub(super) fn key(&self) -> (String, usize) {
        (self.ready.case.id.clone(), self.n)
    }

    /// Whether it is a look at the case with this id.
    pub(super) fn is_at(&self, id: &str) -> bool {
        self.ready.case.id == id
    }
}

/// The result of one look.
pub(super) struct FinishedLook<'r> {
    /// The look.
    pub look: Look<'r>,
    /// Both sides of the wire.
    pub observation: Observation,
    /// When it started and ended.
    pub span: (Instant, Instant),
}
