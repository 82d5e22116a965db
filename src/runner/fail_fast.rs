//! Stops a run after a number of failing cases.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;

use crate::judge::Verdict;

/// Counts failing cases, and stops the run when there are enough.
pub(super) struct FailFast {
    /// Stops the run: at the limit, or when the user interrupts it.
    pub stop: CancellationToken,
    limit: usize,
    failing: AtomicUsize,
}

impl FailFast {
    /// Stops after `limit` failing cases, or never if it is 0. Also stops when `cancel` is cancelled.
    pub(super) fn new(limit: usize, cancel: &CancellationToken) -> Self {
        Self { stop: cancel.child_token(), limit, failing: AtomicUsize::new(0) }
    }

    /// Counts a case.
    pub(super) fn count(&self, verdict: Verdict) {
        if verdict.is_failure()
            && self.failing.fetch_add(1, Ordering::Relaxed) + 1 >= self.limit
            && self.limit > 0
        {
            self.stop.cancel();
        }
    }

    /// The limit, if it was reached.
    pub(super) fn reached(&self) -> Option<usize> {
        (self.limit > 0 && self.failing.load(Ordering::Relaxed) >= self.limit).then_some(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_stops_at_the_limit_and_only_because_of_failing_cases() {
        let cancel = CancellationToken::new();
        let fail_fast = FailFast::new(2, &cancel);
        for verdict in [Verdict::Pass, Verdict::Known, Verdict::Skipped, Verdict::Inconclusive, Verdict::Fail]
        {
            fail_fast.count(verdict);
        }
        assert!(!fail_fast.stop.is_cancelled() && fail_fast.reached().is_none());
        fail_fast.count(Verdict::Changed);
        assert!(fail_fast.stop.is_cancelled() && !cancel.is_cancelled());
        assert_eq!(fail_fast.reached(), Some(2));
    }

    #[test]
    fn without_a_limit_only_the_user_stops_the_run() {
        let cancel = CancellationToken::new();
        let fail_fast = FailFast::new(0, &cancel);
        fail_fast.count(Verdict::Broken);
        assert!(!fail_fast.stop.is_cancelled());
        cancel.cancel();
        assert!(fail_fast.stop.is_cancelled() && fail_fast.reached().is_none());
    }
}
