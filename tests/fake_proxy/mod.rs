//! A pass-through proxy for `POST /v1/chat/completions` with selectable misbehaviour.
//!
//! The proxy is a test of this program: `command` is a shell command that runs it in a process of its own. Its
//! settings are environment variables. It writes its process id, that of its child, and its port to files in the
//! current folder. It writes the file `slow` when it gets a request on a route with a timeout of 100 seconds.

mod mode;
mod server;
mod upstream;

use std::{
    fs,
    io::{self, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use serde::Deserialize;

use mode::Mode;

/// The port to listen on. Without this variable, no proxy starts.
const PORT: &str = "FAKE_PROXY_PORT";
/// A mode.
const BEHAVIOUR: &str = "FAKE_PROXY_BEHAVIOUR";
/// The path of the configuration; without it there are no routes.
const CONFIG: &str = "FAKE_PROXY_CONFIG";
/// The folder of the definition, in which the proxy keeps what a later start needs.
const FOLDER: &str = "FAKE_PROXY_FOLDER";

/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(1000);

/// The file that the template `config.json.j2` renders.
#[derive(Debug, Default, Deserialize)]
struct Config {
    proxy_key: String,
    routes: Vec<Route>,
}

#[derive(Debug, Deserialize)]
struct Route {
    model: String,
    upstream_model: String,
    base_url: String,
    api_key: String,
    timeout_s: f64,
    retries: u32,
}

impl Route {
    /// Whether it belongs to a control request of upfault and not to a case.
    fn is_control(&self) -> bool {
        self.model.starts_with("upfault-control")
    }
}

#[derive(Debug)]
struct FakeProxy {
    mode: Mode,
    config: Config,
    folder: PathBuf,
}

/// A shell command that replaces the shell by the proxy. The proxy writes to standard error, because the lines of
/// the test runner on standard output must not be in its log.
pub fn command() -> String {
    let program = std::env::current_exe().unwrap().display().to_string().replace('\'', r"'\''");
    format!("exec '{program}' --exact fake_proxy::serve --nocapture > /dev/null")
}

/// The proxy. As a test among the others it does nothing.
#[test]
fn serve() {
    let Some(port) = variable(PORT) else { return };
    let port: u16 = port.parse().unwrap();
    let mode: Mode = variable(BEHAVIOUR).unwrap().parse().unwrap();
    let folder = PathBuf::from(variable(FOLDER).unwrap_or_default());

    note(Path::new("pid"), std::process::id());
    note(Path::new("port"), port);
    log("fake proxy begins");
    if mode == Mode::Exit {
        exit("there is nothing to live for");
    }
    if mode == Mode::Once {
        let mark = folder.join("started");
        if mark.exists() {
            exit("the first time was enough");
        }
        note(&mark, "yes");
    }
    if mode == Mode::Deaf {
        log("still thinking");
        sleep(NEVER);
    }
    let config = variable(CONFIG)
        .map_or_else(Config::default, |path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap());
    if mode == Mode::Flood {
        flood(80, Duration::ZERO);
        thread::spawn(|| flood(10_000, Duration::from_millis(30)));
    }
    if mode == Mode::Stubborn {
        // The proxy itself ignores SIGTERM as well: its start script sets that.
        let mut child = Command::new("sh").args(["-c", "trap '' TERM; exec sleep 1000"]).spawn().unwrap();
        note(Path::new("child"), child.id());
        thread::spawn(move || child.wait());
    }
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    server::accept(&listener, FakeProxy { mode, config, folder });
}

#[expect(
    clippy::disallowed_methods,
    reason = "the proxy is a process of its own, with settings in its environment"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "each request has its own thread, which does nothing else")]
fn sleep(duration: Duration) {
    thread::sleep(duration);
}

#[expect(clippy::disallowed_methods, reason = "the tests expect this exit code, which a test cannot return")]
fn exit(message: &str) -> ! {
    log(message);
    std::process::exit(1)
}

/// Writes a line to the log of the proxy.
fn log(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Writes a line to the log for each kilobyte, with a pause after each megabyte.
fn flood(megabytes: u32, pause: Duration) {
    let block = format!("{}\n", "x".repeat(999)).repeat(1000);
    for _ in 0..megabytes {
        let _ = io::stderr().write_all(block.as_bytes());
        sleep(pause);
    }
}

/// Writes a value to a file, with a line break as the sign that it is complete.
fn note(path: &Path, value: impl std::fmt::Display) {
    fs::write(path, format!("{value}\n")).unwrap();
}
