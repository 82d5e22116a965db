//! Controls the program while it runs.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::stage::{CliOutput, Stage};

/// A running upfault process.
pub struct Running {
    child: Child,
    began: Instant,
    /// The part of its standard error that has been read.
    err: Vec<u8>,
}

impl Running {
    pub fn start(stage: &Stage, args: &[&str]) -> Self {
        let mut command = stage.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { child: command.spawn().unwrap(), began: Instant::now(), err: Vec::new() }
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Reads standard error until it contains this text.
    #[track_caller]
    pub fn until_err_has(&mut self, part: &str) {
        let mut bytes = [0; 256];
        while !String::from_utf8_lossy(&self.err).contains(part) {
            let n = self.child.stderr.as_mut().unwrap().read(&mut bytes).unwrap();
            assert!(n > 0, "it ended before it printed `{part}`:\n{}", String::from_utf8_lossy(&self.err));
            self.err.extend_from_slice(&bytes[..n]);
        }
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for its end. If it does not end, kills it and panics.
    pub fn end(mut self) -> CliOutput {
        let deadline = Instant::now() + Duration::from_secs(20);
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > deadline {
                self.child.kill().unwrap();
                panic!("it did not end");
            }
            pause();
        };
        let mut out = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_end(&mut self.err).unwrap();
        let err = String::from_utf8(self.err).unwrap();
        CliOutput { code: status.code(), out, err, took: self.began.elapsed() }
    }
}

#[expect(clippy::disallowed_methods, reason = "there is nothing else to do in this thread")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
