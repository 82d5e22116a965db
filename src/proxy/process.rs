//! A child process and all processes that it starts, as one process group. The group never outlives its
//! handle.

use std::{
    ffi::OsString,
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
use tokio::time::{Instant, sleep};

use super::guard::Guard;

/// The number of this signal on every Unix.
const SIGTERM: i32 = 15;

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
    _guard: Option<Guard>,
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
        wrap.wrap(ProcessGroup::leader());
        let child = wrap.spawn()?;
        let guard = child.id().and_then(Guard::over);
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
        if self.ended().is_none() && self.child.signal(SIGTERM).is_ok() {
            let _ = tokio::time::timeout(grace, self.wait()).await;
        }
        // Repeat until the group is empty. A zombie whose parent does not reap it keeps the group alive, so
        // there is a time limit.
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.child.start_kill().is_ok() && Instant::now() < deadline {
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
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("was killed by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("exited with code {code}"),
        None => "ended".to_owned(),
    }
}

/// Returns the path of a program, found as a shell finds it.
pub(super) fn which(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    #[expect(clippy::disallowed_methods, reason = "the search for programs uses the PATH of the system")]
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}
