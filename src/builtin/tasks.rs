//! What an instance has begun beside its listener: all of it ends with the instance.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The tasks of an instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    cancel: CancellationToken,
    tracker: TaskTracker,
}

impl Tasks {
    /// Begins a task that ends with the instance, at the latest.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        let cancel = self.cancel.clone();
        self.tracker.spawn(async move {
            cancel.run_until_cancelled_owned(task).await;
        });
    }

    /// Ends them all at once.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Ready when none is left.
    pub async fn gone(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
