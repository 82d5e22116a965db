//! CPU time of processes that upfault started.

use std::time::Duration;

/// The CPU time of all processes that upfault started and that have ended, and of those that they started and waited
/// for; `None` if the system does not say it.
#[cfg(unix)]
pub(crate) fn cpu_of_ended_processes() -> Option<Duration> {
    use nix::sys::resource::{UsageWho, getrusage};

    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let time = usage.user_time() + usage.system_time();
    let micros = u64::try_from(time.tv_sec()).ok()? * 1_000_000 + u64::try_from(time.tv_usec()).ok()?;
    Some(Duration::from_micros(micros))
}

/// `None`, because only Unix adds up the CPU time of ended processes. The report then leaves it out.
#[cfg(not(unix))]
pub(crate) fn cpu_of_ended_processes() -> Option<Duration> {
    None
}
