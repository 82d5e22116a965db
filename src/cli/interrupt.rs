//! Being asked to stop.

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A person, by Ctrl-C (SIGINT).
    Interrupt,
    /// Whoever started the program, by SIGTERM.
    Terminate,
}

/// Listens for SIGINT and SIGTERM from now on; the future ends with the first of them. To be called
/// in a runtime.
#[cfg(unix)]
pub fn asked() -> std::io::Result<impl Future<Output = Asked>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => Asked::Interrupt,
            _ = terminate.recv() => Asked::Terminate,
        }
    })
}

/// Listens for Ctrl-C.
#[cfg(not(unix))]
pub fn asked() -> std::io::Result<impl Future<Output = Asked>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
        Asked::Interrupt
    })
}

/// Waits for SIGINT or SIGTERM.
pub async fn terminated() {
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
