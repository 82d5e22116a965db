//! The background tasks of an instance, which all end with it.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The tasks of an instance.
#[derive(Debug, Clone, Default)]
pub(super) struct Tasks {
    cancel: CancellationToken,
    tracker: TaskTracker,
}

impl Tasks {
    /// Starts a task. It is cancelled when the instance ends.
    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: F) {
        let cancel = self.cancel.clone();
        self.tracker.spawn(async move {
            cancel.run_until_cancelled_owned(task).await;
        });
    }

    /// Cancels all tasks.
    pub(super) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Resolves once all tasks have ended.
    pub(super) async fn gone(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}
