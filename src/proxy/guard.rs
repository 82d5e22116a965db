//! Kills a process group if upfault itself is killed and cannot do it.

use std::process::{Child, Command, Stdio};

/// A shell that waits for the end of its input and then kills the group. Its input is a pipe. Only upfault
/// has the other end, and the operating system closes that end even if upfault is killed by SIGKILL.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Starts a guard for a process group. Returns `None` if the system has no `sh`; then the group has no
    /// guard.
    pub(super) fn over(group: u32) -> Option<Self> {
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"read -r _; kill -s KILL -- "-$1""#, "upfault-guard", &group.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        #[cfg(unix)]
        {
            // Ctrl-C sends a signal to upfault's own process group. The guard must outlive upfault, so it
            // gets another group.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        command.spawn().ok().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // upfault has already ended the group. The guard must not kill another group that gets the same
        // number.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
