//! `upfault serve`, as a program that other programs start and stop.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::stage::{Stage, eventually};

/// A running `upfault serve`.
struct Serving {
    child: Child,
    /// `127.0.0.1:PORT`
    address: String,
    /// The output after the first line.
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

    /// Sends a request and returns the status and body of the response.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        self.ask_as(&self.address, method, path, body)
    }

    /// Sends a request with another `Host`.
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

    /// Sends a signal and returns the exit code and standard error.
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
fn the_urls_are_one_line_of_json_for_programs() {
    let stage = Stage::small();
    stage.write("limits.json", r#"{"provider": "openai", "upstream": [{"error": "rate_limit"}]}"#);
    for listen in ["0", "localhost:0", "127.0.0.1:0"] {
        let mut command =
            stage.command(&["serve", "--json", "--listen", listen, "--arm", "limits=limits.json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let urls: Value = serde_json::from_str(&line).unwrap();
        let url = urls["url"].as_str().unwrap();
        assert!(
            url.starts_with("http://127.0.0.1:") && urls["control_api"] == format!("{url}/_upfault"),
            "{urls}"
        );
        let mock = &urls["armed"]["limits"];
        assert_eq!(mock["base_url"], format!("{url}/limits/primary/v1"));
        assert_eq!(mock["base_urls"]["primary"], mock["base_url"]);
        assert_eq!(mock["keys"]["primary"], "sk-canary-limits-primary");
        TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }
    stage
        .upfault(&["serve", "--listen", "gateway:4777"])
        .code(2)
        .err_has(&["is not an IP address", "127.0.0.1:4777"]);
}

#[test]
fn catalogue_and_control_api_work_as_soon_as_the_address_is_printed() {
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
    // A hanging request must not delay the exit.
    let mut hung = TcpStream::connect(&address).unwrap();
    write!(hung, "POST /openai/hang/v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 2\r\n\r\n{{}}").unwrap();
    let (code, err) = serving.end("INT");
    assert_eq!((code, err.as_str()), (Some(130), ""));
    // The connection ends with FIN, or with RST if the request had not been read yet.
    hung.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let ended = hung.read(&mut [0; 1]).map_err(|error| error.kind());
    assert!(matches!(ended, Ok(0) | Err(ErrorKind::ConnectionReset)), "{ended:?}");
    eventually("a free port", || TcpListener::bind(&address).is_ok());
}

#[test]
fn sigterm_ends_the_server_with_exit_code_0() {
    let stage = Stage::new();
    assert_eq!(Serving::start(&stage, &[]).end("TERM"), (Some(0), String::new()));
}

#[test]
fn there_is_a_warning_if_the_address_is_not_on_loopback() {
    let stage = Stage::new();
    let (code, err) = Serving::start(&stage, &["--listen", "0.0.0.0:0"]).end("TERM");
    assert_eq!(code, Some(0));
    assert!(err.contains("warning: anyone who can reach this address can arm mocks"), "{err}");
}

#[test]
fn an_option_allows_further_host_names() {
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
fn errors_are_reported_before_the_address() {
    let stage = Stage::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    stage
        .upfault(&["serve", "limits", "--listen", &address])
        .code(2)
        .err_has(&["cannot listen on", "help: another program uses this port"]);
    let wrong = Stage::new().scenario("t/wrong", "title: x\nwhy: y\nupstreams: []\n");
    wrong.upfault(&["serve"]).code(2).err_has(&["unknown key `upstreams`"]);
    stage.upfault(&["serve", "--listen", "99999"]).code(2).err_has(&["--listen", "is not a port"]);
}
