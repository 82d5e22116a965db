//! Signals that ask the program to stop.

use std::io;

/// The signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// SIGINT, usually by Ctrl-C.
    Interrupt,
    /// SIGTERM, usually by a supervisor.
    Terminate,
}

/// Listens for SIGINT and SIGTERM from the call on. The future resolves with the first of them. Must be called
/// inside of a Tokio runtime.
#[cfg(unix)]
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = StopSignal>> {
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

/// Listens from the call on for Ctrl-C, and for Ctrl-Break, which is what a supervisor can send. Must be called inside of a
/// Tokio runtime.
#[cfg(windows)]
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = StopSignal>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c};
    let mut interrupt = ctrl_c()?;
    let mut terminate = ctrl_break()?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => StopSignal::Interrupt,
            _ = terminate.recv() => StopSignal::Terminate,
        }
    })
}
