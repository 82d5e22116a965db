//! A temporary folder for a test, with scenarios, proxies, cache and snapshots, in which the program runs.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use upfault::internals::{judge::Verdict, report::Report};

use super::fake_proxy;

/// Longer than any command of the tests takes, even on a busy machine. If a command exceeds it, it hangs.
const PATIENCE: Duration = Duration::from_secs(180);

/// The environment variables that set options.
const VARIABLES: [&str; 8] = [
    "UPFAULT_PROXY",
    "UPFAULT_PROXY_KEY",
    "UPFAULT_POLICY",
    "UPFAULT_SEED",
    "UPFAULT_JOBS",
    "UPFAULT_LISTEN",
    "UPFAULT_RENDERED",
    "UPFAULT_SNAPSHOTS",
];

/// Two cases that succeed with any correct proxy.
pub const PLAIN: &str = "\
title: A plain answer
why: The control.
matrix: {stream: [false, true]}
upstream: [{reply: ok}]
proxy: {timeout: 5s}
";

/// Two cases with a failure that any correct proxy passes on.
pub const LIMIT: &str = "\
title: A rate limit
why: Callers wait.
matrix: {stream: [false, true]}
upstream: [{error: rate_limit, headers: {retry-after: \"7\"}}]
proxy: {timeout: 5s}
";

/// Two cases in which no provider answers in time. Any correct proxy responds with 504 or 408.
pub const LATE: &str = "\
title: A provider that never answers
why: The proxy has to stop waiting.
matrix: {stream: [false, true]}
upstream: [{reply: ok, faults: [{hang: {at: before_headers}}]}]
proxy: {timeout: 200ms}
";

/// A case whose route has three retries. The fake proxy in mode `kill` kills itself when it gets such a request.
pub const MARKED: &str = "\
title: The marked one
why: The fake proxy dies of it.
upstream: [{reply: ok}]
proxy: {timeout: 5s, retries: 3}
";

/// Two cases that a correct proxy cannot answer within a minute.
pub const SLOW: &str = "\
title: A slow answer
why: There must be something to interrupt.
matrix: {stream: [false, true]}
upstream: [{reply: ok, faults: [{delay: {at: before_headers, for: 90s}}]}]
proxy: {timeout: 100s}
";

pub struct Stage {
    folder: TempDir,
}

/// The output and the exit code of a command.
#[derive(Debug, Default)]
pub struct CliOutput {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl CliOutput {
    /// Panics with the whole output unless the exit code is this one.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    #[track_caller]
    pub fn out_has(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.out.contains(part), "no `{part}` in stdout:\n{}\nstderr:\n{}", self.out, self.err);
        }
        self
    }

    #[track_caller]
    pub fn err_has(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "no `{part}` in stderr:\n{}\nstdout:\n{}", self.err, self.out);
        }
        self
    }
}

impl Stage {
    pub fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    /// A stage with `scenarios/t/plain.yaml` and `scenarios/t/limit.yaml`: four cases.
    pub fn small() -> Self {
        Self::new().scenario("t/plain", PLAIN).scenario("t/limit", LIMIT)
    }

    pub fn scenario(self, id: &str, text: &str) -> Self {
        self.write(&format!("scenarios/{id}.yaml"), text);
        self
    }

    /// Adds the fake proxy in `MODE/proxy.yaml`.
    pub fn fake(self, mode: &str) -> Self {
        self.fake_in("", mode);
        self
    }

    /// Adds the fake proxy in a folder below this one.
    pub fn fake_in(&self, folder: &str, mode: &str) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fake-proxy");
        for name in ["proxy.yaml", "proxy.sh", "config.json.j2"] {
            let text = fs::read_to_string(source.join(name)).unwrap();
            let within = if mode == "deaf" { "1s" } else { "30s" };
            let file = Path::new(folder).join(mode).join(name);
            let text = text.replace("MODE", mode).replace("WITHIN", within);
            self.write(&file.display().to_string(), &text.replace("COMMAND", &fake_proxy::command()));
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The program in this folder, without environment variables that affect it.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("upfault"));
        command.args(args);
        self.isolated(command)
    }

    /// A command line for a POSIX shell in this folder, with the program on its PATH.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        let program = assert_cmd::cargo::cargo_bin!("upfault").parent().unwrap();
        #[expect(clippy::disallowed_methods, reason = "the shell needs the inherited PATH")]
        let inherited = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(program.to_owned()).chain(std::env::split_paths(&inherited));
        command.args(["-c", line]).env("PATH", std::env::join_paths(folders).unwrap());
        self.isolated(command)
    }

    /// Sets this folder, and removes environment variables that affect the program.
    fn isolated(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path()).env("UPFAULT_CACHE", self.path("cache")).stdin(Stdio::null());
        for name in ["CI", "NO_COLOR", "CLICOLOR_FORCE"].into_iter().chain(VARIABLES) {
            command.env_remove(name);
        }
        command
    }

    pub fn upfault(&self, args: &[&str]) -> CliOutput {
        self.ended(self.command(args))
    }

    /// Runs the program in a folder below this one.
    pub fn upfault_in(&self, folder: &str, args: &[&str]) -> CliOutput {
        let mut command = self.command(args);
        command.current_dir(self.path(folder));
        self.ended(command)
    }

    pub fn with_env(&self, name: &str, value: &str, args: &[&str]) -> CliOutput {
        let mut command = self.command(args);
        command.env(name, value);
        self.ended(command)
    }

    pub fn ended(&self, command: Command) -> CliOutput {
        let began = Instant::now();
        let output = assert_cmd::Command::from_std(command).timeout(PATIENCE).output().unwrap();
        CliOutput {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
            took: began.elapsed(),
        }
    }

    /// Executes `run` and reads its JSON report.
    pub fn run(&self, args: &[&str]) -> (CliOutput, Report) {
        let printed = self.upfault(&[&["run", "--report", "json-full=report.json"], args].concat());
        let report = Report::read(&self.path("report.json"))
            .unwrap_or_else(|error| panic!("{error}\n{}\n{}", printed.out, printed.err));
        (printed, report)
    }

    /// The content of a file that the first fake proxy wrote into its folder.
    pub fn noted(&self, name: &str) -> Option<String> {
        self.all_noted(name).into_iter().next()
    }

    /// The contents of the files with this name that fake proxies wrote into their folders, including restarted ones.
    pub fn all_noted(&self, name: &str) -> Vec<String> {
        let files = self.tree("cache/runs").into_iter().filter(|(path, _)| path.ends_with(name));
        let texts = files.map(|(_, bytes)| String::from_utf8(bytes).unwrap());
        texts.filter(|text| text.ends_with('\n')).map(|text| text.trim().to_owned()).collect()
    }

    /// Panics if a fake proxy or its child is still running, or its port is still in use.
    #[track_caller]
    pub fn nothing_is_left(&self) {
        let pids = self.all_noted("pid");
        assert!(!pids.is_empty(), "no fake proxy began");
        for pid in pids.into_iter().chain(self.all_noted("child")) {
            eventually(&format!("the end of {pid}"), || !is_alive(&pid));
        }
        for port in self.all_noted("port") {
            let port: u16 = port.parse().unwrap();
            eventually("a free port", || TcpListener::bind(("127.0.0.1", port)).is_ok());
        }
    }

    /// Every file below a folder with its bytes, for comparison.
    pub fn tree(&self, name: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path(name)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push((path.clone(), fs::read(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }
}

/// The verdict of a case in a report, and why.
#[track_caller]
pub fn verdict(report: &Report, id: &str) -> (Verdict, String) {
    let case = report.cases.iter().find(|case| case.id == id).expect("the case is in the report");
    (case.verdict, case.reason.clone().unwrap_or_default())
}

/// Whether a process is running. A zombie does not count.
pub fn is_alive(pid: &str) -> bool {
    let output = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
    let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}

#[track_caller]
#[expect(clippy::disallowed_methods, reason = "there is nothing else to do in this thread")]
pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}
