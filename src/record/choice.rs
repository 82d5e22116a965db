//! Which exchanges become scenarios.

use globset::GlobMatcher;

use super::exchange::PassedExchange;
use crate::scenario::StatusSet;

/// Which exchanges become scenarios: all conditions must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct RecordChoice {
    /// Those with one of these statuses; `None` for those that failed, unless `all` is set.
    pub status: Option<StatusSet>,
    /// Those with such a path.
    pub path: Option<GlobMatcher>,
    /// Whether exchanges that did not fail are recorded too.
    pub all: bool,
}

impl RecordChoice {
    /// Whether an exchange becomes a scenario.
    pub(crate) fn takes(&self, exchange: &PassedExchange) -> bool {
        let result = match &self.status {
            Some(set) => exchange.status().is_some_and(|status| set.contains(status)),
            None => self.all || exchange.has_failed(),
        };
        result && self.path.as_ref().is_none_or(|path| path.is_match(&exchange.path))
    }
}
