//! The program while it is running.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::stage::{Said, Stage};

/// The program, running.
pub struct Running {
    child: Child,
    began: Instant,
    /// What has been read of its standard error.
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

    /// Reads its standard error until it has said this.
    #[track_caller]
    pub fn until_err_has(&mut self, part: &str) {
        let mut bytes = [0; 256];
        while !String::from_utf8_lossy(&self.err).contains(part) {
            let n = self.child.stderr.as_mut().unwrap().read(&mut bytes).unwrap();
            assert!(n > 0, "it ended before it said `{part}`:\n{}", String::from_utf8_lossy(&self.err));
            self.err.extend_from_slice(&bytes[..n]);
        }
    }

    /// Whether it has not ended yet.
    pub fn is_going_on(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for it, and kills it before failing where it does not end.
    pub fn end(mut self) -> Said {
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
        Said { code: status.code(), out, err, took: self.began.elapsed() }
    }
}

#[expect(clippy::disallowed_methods, reason = "there is nothing else to do in this thread")]
pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}
