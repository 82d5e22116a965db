//! A process with everything that it starts: a process group on Unix, a job object on Windows.

use std::process::ExitStatus;

use process_wrap::tokio::{ChildWrapper, CommandWrap};

/// Starts the command as a group of its own, so that the handle of the child ends all of its processes.
#[cfg(unix)]
pub(crate) fn in_own_group(command: &mut CommandWrap) {
    command.wrap(process_wrap::tokio::ProcessGroup::leader());
}

/// Starts the command in a job object, so that the handle of the child ends all of its processes. Windows ends them too when
/// upfault ends in any way, because only upfault has the handle of the job.
#[cfg(windows)]
pub(crate) fn in_own_group(command: &mut CommandWrap) {
    command.wrap(process_wrap::tokio::KillOnDrop).wrap(process_wrap::tokio::JobObject);
}

/// Asks a group to stop, with SIGTERM. Returns `false` if it has ended.
#[cfg(unix)]
pub(crate) fn ask_to_stop(group: &dyn ChildWrapper) -> bool {
    // The number of this signal on every Unix.
    const SIGTERM: i32 = 15;
    group.signal(SIGTERM).is_ok()
}

/// Returns `false`: Windows has no signal for a process without a console. The caller kills the group.
#[cfg(not(unix))]
pub(crate) fn ask_to_stop(_group: &dyn ChildWrapper) -> bool {
    false
}

/// Kills a group. Returns whether processes of it may be left, so that the caller has to try again: a process that ended but
/// whose parent does not notice it keeps a group alive.
#[cfg(unix)]
pub(crate) fn kill_group(group: &mut dyn ChildWrapper) -> bool {
    // An empty group is an error.
    group.start_kill().is_ok()
}

/// Kills a group. Returns `false`, because the end of a job object is the end of all of its processes.
#[cfg(not(unix))]
pub(crate) fn kill_group(group: &mut dyn ChildWrapper) -> bool {
    let _ = group.start_kill();
    false
}

/// The number of the signal that ended a process.
#[cfg(unix)]
pub(crate) fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

/// `None`: there are no signals.
#[cfg(not(unix))]
pub(crate) fn signal_of(_status: ExitStatus) -> Option<i32> {
    None
}

/// Kills a process group if upfault itself is killed and cannot do it.
///
/// It is a shell that waits for the end of its input and then kills the group. Its input is a pipe. Only upfault has the
/// other end, and the operating system closes that end even if upfault is killed by SIGKILL.
#[derive(Debug)]
pub(crate) struct ProcessGroupGuard(std::process::Child);

impl ProcessGroupGuard {
    /// Starts a guard for a process group. Returns `None` if the system has no `sh`; then the group has no
    /// guard.
    #[cfg(unix)]
    pub(crate) fn over(group: u32) -> Option<Self> {
        use std::process::{Command, Stdio};

        let mut command = Command::new("sh");
        command
            .args(["-c", r#"read -r _; kill -s KILL -- "-$1""#, "upfault-guard", &group.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // Ctrl-C sends a signal to upfault's own process group. The guard must outlive upfault, so it gets another group.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn().ok().map(Self)
    }

    /// Returns `None`: a job object ends with upfault and needs no guard.
    #[cfg(not(unix))]
    pub(crate) fn over(_group: u32) -> Option<Self> {
        None
    }
}

impl Drop for ProcessGroupGuard {
    fn drop(&mut self) {
        // upfault has already ended the group. The guard must not kill another group that gets the same
        // number.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
