//! Which instances start at the same time.

use tokio::sync::{Semaphore, SemaphorePermit, watch};

/// The starts of all instances of a run. A start needs a whole core, so no more of them run at the same time than
/// the machine has cores; meanwhile, cases run on the instances that are ready.
pub(super) struct Starts {
    places: Semaphore,
    /// The number of instances whose start is not over.
    left: watch::Sender<usize>,
}

/// A start. It is over when this value is dropped.
pub(super) struct Starting<'a> {
    starts: &'a Starts,
    _place: Option<SemaphorePermit<'a>>,
}

impl Starts {
    /// The starts of this number of instances, of which at most `together` run at the same time.
    pub(super) fn new(instances: usize, together: usize) -> Self {
        Self { places: Semaphore::new(together.max(1)), left: watch::Sender::new(instances) }
    }

    /// Waits until another instance may start. Each instance calls this once.
    pub(super) async fn begin(&self) -> Starting<'_> {
        // The semaphore is never closed, so the only outcome is a permit.
        Starting { _place: self.places.acquire().await.ok(), starts: self }
    }

    /// Waits until every start is over: a start is a load that falsifies timing. Cancel-safe.
    pub(super) async fn over(&self) {
        // The sender lives as long as `self`.
        let _ = self.left.subscribe().wait_for(|left| *left == 0).await;
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        self.starts.left.send_modify(|left| *left = left.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_start_waits_for_a_place_and_all_of_them_end() {
        let starts = Starts::new(3, 2);
        let first = starts.begin().await;
        let second = starts.begin().await;
        assert!(starts.begin().now_or_never().is_none(), "both places are taken");
        drop(first);
        let third = tokio::time::timeout(Duration::from_secs(1), starts.begin()).await;
        drop(second);
        assert!(starts.over().now_or_never().is_none(), "the third one still starts");
        drop(third);
        assert!(starts.over().now_or_never().is_some());
    }
}
