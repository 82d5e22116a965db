//! A child process and all processes that it starts, as one process group. The group never outlives its
//! handle.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio::time::{Instant, sleep};

use crate::platform::{ProcessGroupGuard, ask_to_stop, in_own_group, kill_group, signal_of};

/// The interval between two checks whether a process has ended.
const POLL: Duration = Duration::from_millis(20);

/// A command to run.
#[derive(Debug)]
pub(super) struct ProcessCommand<'a> {
    pub(super) words: &'a [String],
    pub(super) directory: &'a Path,
    pub(super) environment: Vec<(OsString, OsString)>,
    /// The file for both output streams. The child writes it directly, so the child is never blocked and no
    /// output is lost while upfault is busy.
    pub(super) output: &'a File,
}

/// A running process group.
#[derive(Debug)]
pub(super) struct RunningProcess {
    child: Box<dyn ChildWrapper>,
    ended: Option<ExitStatus>,
    /// Dropped last, after the group has ended.
    _guard: Option<ProcessGroupGuard>,
}

impl RunningProcess {
    /// Starts a command with exactly the given environment.
    pub(super) fn spawn(command: &ProcessCommand<'_>) -> io::Result<Self> {
        let (program, arguments) = command
            .words
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the command is empty"))?;
        let (stdout, stderr) = (command.output.try_clone()?, command.output.try_clone()?);
        let mut wrap = CommandWrap::with_new(program, |child| {
            child
                .args(arguments)
                .current_dir(command.directory)
                .env_clear()
                .envs(command.environment.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::null())
                .stdout(stdout)
                .stderr(stderr);
        });
        in_own_group(&mut wrap);
        let child = wrap.spawn()?;
        let guard = child.id().and_then(ProcessGroupGuard::over);
        Ok(Self { child, ended: None, _guard: guard })
    }

    /// Returns how the first process ended, or `None` if it is running.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Waits until the first process has ended.
    pub(super) async fn wait(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            sleep(POLL).await;
        }
    }

    /// Sends SIGKILL to the group.
    pub(super) fn kill(&mut self) {
        // An empty group is not an error.
        let _ = self.child.start_kill();
    }

    /// Sends SIGTERM to the group, waits for at most `grace`, then sends SIGKILL to the processes that are
    /// left.
    pub(super) async fn stop(mut self, grace: Duration) {
        if self.ended().is_none() && ask_to_stop(&*self.child) {
            let _ = tokio::time::timeout(grace, self.wait()).await;
        }
        // Repeat until the group is empty. A zombie whose parent does not reap it keeps the group alive, so
        // there is a time limit.
        let deadline = Instant::now() + Duration::from_secs(1);
        while kill_group(&mut *self.child) && Instant::now() < deadline {
            self.ended();
            sleep(POLL).await;
        }
    }
}

impl Drop for RunningProcess {
    fn drop(&mut self) {
        // The group may outlive its first process. An empty group is not an error.
        let _ = self.child.start_kill();
        self.ended();
    }
}

/// Describes how a process ended: `exited with code 1`, `was killed by signal 9`.
pub(super) fn how(status: ExitStatus) -> String {
    if let Some(signal) = signal_of(status) {
        return format!("was killed by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("exited with code {code}"),
        None => "ended".to_owned(),
    }
}
