//! Signals that ask the program to stop.

use tokio_util::sync::CancellationToken;

/// The signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopSignal {
    /// SIGINT, usually by Ctrl-C.
    Interrupt,
    /// SIGTERM, usually by a supervisor.
    Terminate,
}

/// Listens for SIGINT and SIGTERM from the call on. The future resolves with the first of them. Must be called
/// inside of a Tokio runtime.
#[cfg(unix)]
pub(super) fn asked() -> std::io::Result<impl Future<Output = StopSignal>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => StopSignal::Interrupt,
            _ = terminate.recv() => StopSignal::Terminate,
        }
    })
}

/// Listens for Ctrl-C. Must be called inside of a Tokio runtime.
#[cfg(not(unix))]
pub fn asked() -> std::io::Result<impl Future<Output = StopSignal>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
        StopSignal::Interrupt
    })
}

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
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut term) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = term.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
