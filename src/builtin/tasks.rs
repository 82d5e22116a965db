//! The background tasks of an instance, which all end with it.

use futures_util::future::BoxFuture;
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

    /// Starts a task when the returned guard is dropped.
    pub(super) fn spawn_on_drop(&self, task: BoxFuture<'static, ()>) -> SpawnOnDrop {
        SpawnOnDrop { tasks: self.clone(), task: Some(task) }
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

/// Starts a task when dropped.
pub(super) struct SpawnOnDrop {
    tasks: Tasks,
    task: Option<BoxFuture<'static, ()>>,
}

impl SpawnOnDrop {
    /// Drops the task without starting it.
    pub(super) fn disarm(mut self) {
        self.task = None;
    }
}

impl Drop for SpawnOnDrop {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.tasks.spawn(task);
        }
    }
}
