//! A child process and everything that it starts: one process group, which never outlives its handle.

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

/// Signal 15 on every Unix.
const SIGTERM: i32 = 15;

/// How often a process is asked whether it has ended.
const POLL: Duration = Duration::from_millis(20);

/// What is to be run.
#[derive(Debug)]
pub(super) struct ProcessCommand<'a> {
    pub(super) words: &'a [String],
    pub(super) directory: &'a Path,
    pub(super) environment: Vec<(OsString, OsString)>,
    /// Both output streams go here. The child writes the file itself, so that no flood can block it
    /// and nothing is lost when we are busy.
    pub(super) output: &'a File,
}

/// A running process group.
#[derive(Debug)]
pub(super) struct RunningProcess {
    child: Box<dyn ChildWrapper>,
    ended: Option<ExitStatus>,
    /// Dropped last, when the group has been dealt with.
    _guard: Option<Guard>,
}

impl RunningProcess {
    /// Starts a command with exactly the environment that is given.
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

    /// How the first process ended, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Waits for the first process.
    pub(super) async fn wait(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            sleep(POLL).await;
        }
    }

    /// SIGKILL to the group.
    pub(super) fn kill(&mut self) {
        // Nobody being left is no error.
        let _ = self.child.start_kill();
    }

    /// SIGTERM to the group, `grace` to end, then SIGKILL to what is left of it.
    pub(super) async fn stop(mut self, grace: Duration) {
        if self.ended().is_none() && self.child.signal(SIGTERM).is_ok() {
            let _ = tokio::time::timeout(grace, self.wait()).await;
        }
        // Killing is done when there is nobody to be killed. A zombie whose parent does not reap it
        // counts as somebody, so this has an end.
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.child.start_kill().is_ok() && Instant::now() < deadline {
            self.ended();
            sleep(POLL).await;
        }
    }
}

impl Drop for RunningProcess {
    fn drop(&mut self) {
        // The group may be there when its first process is not. Nobody being left is no error.
        let _ = self.child.start_kill();
        self.ended();
    }
}

/// `exited with code 1`, `was killed by signal 9`.
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

/// Where a program is, as a shell would find it.
pub(super) fn which(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.is_file());
    }
    #[expect(clippy::disallowed_methods, reason = "programs are looked for where the system would look")]
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
