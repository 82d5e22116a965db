//! What ends a process group when upfault itself is killed and can end nothing any more.

use std::process::{Child, Command, Stdio};

/// A shell that waits for the end of its input and then kills the group. Its input is a pipe whose
/// other end only we hold, and the system closes that however we end, also by SIGKILL.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Watches over a group; `None` where there is no shell, and then there is no guard.
    pub(super) fn over(group: u32) -> Option<Self> {
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"read -r _; kill -s KILL -- "-$1""#, "upfault-guard", &group.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        #[cfg(unix)]
        {
            // A Ctrl-C is meant for us; the guard has to outlive us.
            std::os::unix::process::CommandExt::process_group(&mut command, 0);
        }
        command.spawn().ok().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The group has been dealt with: the guard must not wake up and kill another of that number.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
