//! `upfault serve`: the mocks alone, as a program that others start and end.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::stage::{Stage, eventually};

/// The program, serving.
struct Serving {
    child: Child,
    /// `127.0.0.1:PORT`
    address: String,
    /// What it printed after the first line.
    rest: BufReader<std::process::ChildStdout>,
}

impl Serving {
    fn start(stage: &Stage, args: &[&str]) -> Self {
        let mut command = stage.command(&[&["serve"], args].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut rest = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        rest.read_line(&mut first).unwrap();
        let address = first.trim_end().strip_prefix("listening on http://").map(str::to_owned);
        let address = address.unwrap_or_else(|| panic!("the first line is {first:?}"));
        Self { child, address, rest }
    }

    /// Status and body of an answer.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.ask_as(&self.address, method, path, body)
    }

    /// The same under another name.
    fn ask_as(&self, host: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer sk-x\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned();
        (text[9..12].parse().unwrap(), body)
    }

    fn json(&self, method: &str, path: &str, body: &str) -> Value {
        let (status, body) = self.ask(method, path, body);
        assert!(status < 300, "{status} {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Sends a signal; the exit code that followed, and all that was said on stderr.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
        let asked = Instant::now();
        let status = self.child.wait().unwrap();
        assert!(asked.elapsed() < Duration::from_secs(10), "it took {:?} to end", asked.elapsed());
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let mut out = String::new();
        self.rest.read_to_string(&mut out).unwrap();
        assert!(out.contains("/openai/ok/v1"), "{out}");
        (status.code(), err)
    }
}

#[test]
fn the_catalogue_and_the_control_api_are_there_as_soon_as_the_address_is() {
    let stage = Stage::small();
    stage.write("more/odd.yaml", "title: x\nwhy: y\nupstream: [{status: 418}]\n");
    let serving = Serving::start(&stage, &["more/odd.yaml"]);
    for name in ["odd", "t/plain", "limits/rate-limit"] {
        serving.json("POST", "/_upfault/arm", &format!("{{\"scenario\": \"{name}\"}}"));
    }
    assert_eq!(serving.ask("POST", "/openai/ok/v1/chat/completions", "{}").0, 200);
    assert_eq!(serving.ask("POST", "/openai/rate_limit/v1/chat/completions", "{}").0, 429);
    assert!(serving.ask("GET", "/", "").1.contains(&format!("http://{}/openai/ok/v1", serving.address)));

    let armed = serving.json("POST", "/_upfault/arm", r#"{"scenario": "t/limit", "ttl": "60s"}"#);
    let id = armed["id"].as_str().unwrap();
    let url = format!("http://{}", serving.address);
    let path = armed["base_url"].as_str().unwrap().strip_prefix(&url).unwrap().to_owned();
    assert_eq!(serving.ask("POST", &format!("{path}/chat/completions"), "{}").0, 429);
    let ledger = serving.json("GET", &format!("/_upfault/ledger/{id}"), "");
    assert_eq!(ledger["attempts"][0]["sent"]["status"], 429);
    assert_eq!(serving.ask("DELETE", &format!("/_upfault/arm/{id}"), "").0, 204);
    assert_eq!(serving.ask("GET", &format!("/_upfault/ledger/{id}"), "").0, 404);

    let address = serving.address.clone();
    // Something that still hangs must not keep it.
    let mut hung = TcpStream::connect(&address).unwrap();
    write!(hung, "POST /openai/hang/v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 2\r\n\r\n{{}}").unwrap();
    let (code, err) = serving.end("INT");
    assert_eq!((code, err.as_str()), (Some(130), ""));
    // By a FIN, or by a RST where the request had not been read yet.
    hung.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let ended = hung.read(&mut [0; 1]).map_err(|error| error.kind());
    assert!(matches!(ended, Ok(0) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
    eventually("a free port", || TcpListener::bind(&address).is_ok());
}

#[test]
fn being_terminated_is_how_a_server_ends_well() {
    let stage = Stage::new();
    assert_eq!(Serving::start(&stage, &[]).end("TERM"), (Some(0), String::new()));
}

#[test]
fn an_address_that_others_reach_is_warned_about() {
    let stage = Stage::new();
    let (code, err) = Serving::start(&stage, &["--listen", "0.0.0.0:0"]).end("TERM");
    assert_eq!(code, Some(0));
    assert!(err.contains("warning: this is not a loopback address"), "{err}");
}

#[test]
fn a_name_by_which_it_is_reached_is_allowed_by_an_option() {
    let stage = Stage::new();
    let serving = Serving::start(&stage, &["--allow-host", "mocks", "--allow-host", "mocks.internal"]);
    for (host, status) in [("mocks:80", 200), ("Mocks.Internal", 200), ("other.internal", 421)] {
        assert_eq!(serving.ask_as(host, "GET", "/_upfault/health", "").0, status, "{host}");
    }
    let (_, refusal) = serving.ask_as("other.internal", "GET", "/", "");
    assert!(refusal.contains("`upfault serve --allow-host other.internal`"), "{refusal}");
    assert_eq!(serving.end("TERM"), (Some(0), String::new()));
    stage.upfault(&["serve", "--allow-host", "mocks:80"]).code(2).err_has(&["leave the port out"]);
}

#[test]
fn what_cannot_be_served_is_said_before_anything_else() {
    let stage = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    stage
        .upfault(&["serve", "limits", "--listen", &address])
        .code(2)
        .err_has(&["cannot listen at", "help: somebody listens there already"]);
    let wrong = Stage::new().scenario("t/wrong", "title: x\nwhy: y\nupstreams: []\n");
    wrong.upfault(&["serve"]).code(2).err_has(&["unknown key `upstreams`"]);
    stage.upfault(&["serve", "--listen", "8080"]).code(2).err_has(&["--listen"]);
}
