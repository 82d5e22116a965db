//! Limits on the size of a ledger.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Limits on the size of a ledger. Later requests get the same replies but are not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LedgerBounds {
    /// The number of attempts. The first ones are kept.
    pub attempts: usize,
    /// The total size of their requests and of the bodies of their responses, in bytes. A single request may
    /// exceed it.
    pub bytes: usize,
}

/// What a ledger records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LedgerMode {
    /// Every attempt.
    Everything,
    /// As much as the limits allow.
    Within(LedgerBounds),
    /// Nothing. Each attempt counts as the first.
    Nothing,
}

impl LedgerMode {
    /// Returns the maximum number of attempts.
    pub(super) fn attempts(self) -> usize {
        match self {
            Self::Everything => usize::MAX,
            Self::Within(bounds) => bounds.attempts,
            Self::Nothing => 0,
        }
    }

    /// Returns the budget of an empty ledger.
    pub(super) fn room(self) -> LedgerBudget {
        match self {
            Self::Everything => LedgerBudget::Endless,
            Self::Within(bounds) => LedgerBudget::Left(Arc::new(AtomicUsize::new(bounds.bytes))),
            Self::Nothing => LedgerBudget::None,
        }
    }
}

/// The number of bytes that a ledger can still keep. Clones share it.
#[derive(Debug, Clone)]
pub(super) enum LedgerBudget {
    Endless,
    Left(Arc<AtomicUsize>),
    None,
}

impl LedgerBudget {
    /// Returns the number of bytes that are left.
    pub(super) fn left(&self) -> usize {
        match self {
            Self::Endless => usize::MAX,
            Self::Left(left) => left.load(Ordering::Relaxed),
            Self::None => 0,
        }
    }

    /// Takes `wanted` bytes, or as many as are left, and returns how many it took.
    pub(super) fn take(&self, wanted: usize) -> usize {
        match self {
            Self::Endless => wanted,
            Self::Left(left) => {
                let take = |left: usize| Some(left.saturating_sub(wanted));
                let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
                wanted.min(before.unwrap_or_else(|left| left))
            }
            Self::None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_taken_than_is_left() {
        let room = LedgerMode::Within(LedgerBounds { attempts: 1, bytes: 10 }).room();
        assert_eq!([room.take(6), room.left(), room.clone().take(6), room.take(1)], [6, 4, 4, 0]);
        assert_eq!(LedgerMode::Everything.room().take(usize::MAX), usize::MAX);
        assert_eq!(LedgerMode::Nothing.room().take(1), 0);
    }
}
