//! How much a ledger keeps.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// How much of one request's or response's body is kept, in bytes.
pub const MAX_KEPT_BODY: usize = 1024 * 1024;

/// How much a ledger keeps. What comes later is answered in the same way and not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerBounds {
    /// Attempts, the first ones.
    pub attempts: usize,
    /// Bytes of all of their requests and of the bodies of their responses. One request may exceed it.
    pub bytes: usize,
}

/// What a ledger remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LedgerMode {
    /// Every attempt.
    Everything,
    /// As much as fits.
    Within(LedgerBounds),
    /// Nothing: each attempt is the first.
    Nothing,
}

impl LedgerMode {
    /// How many attempts.
    pub(super) fn attempts(self) -> usize {
        match self {
            Self::Everything => usize::MAX,
            Self::Within(bounds) => bounds.attempts,
            Self::Nothing => 0,
        }
    }

    /// That of an empty ledger.
    pub(super) fn room(self) -> LedgerBudget {
        match self {
            Self::Everything => LedgerBudget::Endless,
            Self::Within(bounds) => LedgerBudget::Left(Arc::new(AtomicUsize::new(bounds.bytes))),
            Self::Nothing => LedgerBudget::None,
        }
    }
}

/// The bytes that a ledger can still keep. Clones share them.
#[derive(Debug, Clone)]
pub(super) enum LedgerBudget {
    Endless,
    Left(Arc<AtomicUsize>),
    None,
}

impl LedgerBudget {
    /// How many bytes are left.
    pub(super) fn left(&self) -> usize {
        match self {
            Self::Endless => usize::MAX,
            Self::Left(left) => left.load(Ordering::Relaxed),
            Self::None => 0,
        }
    }

    /// Takes as many of so many bytes as are left, and returns how many these are.
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
