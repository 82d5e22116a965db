//! Waits for signals that ask the program to stop.

use tokio_util::sync::CancellationToken;

use crate::platform::stop_signal;

/// A token that the first SIGINT or SIGTERM cancels. Must be called inside of a Tokio runtime.
pub(super) fn interrupted() -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        terminated().await;
        cancelled.cancel();
    });
    token
}

/// Waits for SIGINT or SIGTERM.
pub(super) async fn terminated() {
    match stop_signal() {
        Ok(signal) => {
            signal.await;
        }
        // Without SIGTERM, Ctrl-C still works.
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
