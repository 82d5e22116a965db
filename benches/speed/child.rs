//! Runs a server as a separate process and measures its CPU time and memory.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use crate::{figure::Failure, kind::Kind, serve};

/// The kind of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// hyper and a function that returns the reply: the baseline.
    Bare,
    /// The baseline with `writev(false)`: it sends head and body in one write, as the mock does.
    BareFlat,
    /// An [`upfault::internals::upstream::Upstream`] with a case.
    Mock,
    /// A server of the crate `wiremock`.
    Wiremock,
}

impl Role {
    pub const ALL: [Self; 4] = [Self::Bare, Self::BareFlat, Self::Mock, Self::Wiremock];

    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare hyper",
            Self::BareFlat => "bare hyper, writev(false)",
            Self::Mock => "upfault",
            Self::Wiremock => "wiremock",
        }
    }
}

/// A running server. It ends when this value is dropped or this process ends, because its standard input is closed then.
pub struct Server {
    process: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(role: Role, kind: Kind) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([serve::COMMAND, role.name(), kind.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let commands = process.stdin.take();
        let mut answers = BufReader::new(process.stdout.take().ok_or("the child has no standard output")?);
        let address = line(&mut answers)?.parse()?;
        Ok(Self { process, commands, answers, address })
    }

    /// Sends a command and waits for the response.
    pub fn command(&mut self, command: &str) -> Result<String, Failure> {
        let commands = self.commands.as_mut().ok_or("the server has been stopped")?;
        writeln!(commands, "{command}")?;
        line(&mut self.answers)
    }

    /// CPU time so far in user and kernel mode: the total of its threads according to `schedstat`, in nanoseconds. `stat`
    /// of proc(5) counts in steps of 10 ms, which is too coarse.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        let mut total = 0;
        for task in fs::read_dir(self.proc("task"))? {
            let schedstat = fs::read_to_string(task?.path().join("schedstat"))?;
            let running = schedstat.split_ascii_whitespace().next().ok_or("schedstat is empty")?;
            total += running.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(total))
    }

    /// Resident memory in bytes, according to `VmRSS` of proc(5).
    pub fn memory(&self) -> Result<u64, Failure> {
        let status = fs::read_to_string(self.proc("status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kibibytes = resident.trim().trim_end_matches(" kB").parse::<u64>()?;
        Ok(kibibytes * 1024)
    }

    fn proc(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.process.id())).join(file)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.commands.take());
        let _ = self.process.wait();
    }
}

fn line(from: &mut impl BufRead) -> Result<String, Failure> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    if line.is_empty() {
        return Err("a server ended unexpectedly".into());
    }
    Ok(line.trim_end().to_owned())
}
