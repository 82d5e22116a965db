//! The control API of `serve`: programs can use it, and web pages in a browser cannot.
//!
//! `UPFAULT_PROGRAMS` lists the programs to test with: `chromium`, `curl`, `pytest` and `vitest`. Without it the tests are
//! skipped. `UPFAULT_PYTHON` is a Python with httpx and what examples/pytest needs; `npm ci` has run in
//! tests/control_api and in examples/vitest.

#![cfg(unix)]

#[path = "control_api/browser.rs"]
mod browser;

use std::{ffi::OsStr, net::SocketAddr, path::PathBuf, process::Output, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};
use upfault::internals::{scenario::Library, serve::Server};

const ARM: &str = r#"{"provider": "openai", "upstream": [{"reply": "ok"}]}"#;

/// Text that no web page may read.
const PROMPT: &str = "the secret prompt";

#[expect(clippy::disallowed_methods, reason = "a test reads its own environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Whether to test with this program.
#[expect(clippy::print_stderr, reason = "the output of the tests must show what was skipped")]
fn is_wanted(program: &str) -> bool {
    let wanted = variable("UPFAULT_PROGRAMS").unwrap_or_default().split(',').any(|one| one.trim() == program);
    if !wanted {
        eprintln!("UPFAULT_PROGRAMS does not list {program}: skipped");
    }
    wanted
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/control_api")
}

fn examples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// A server that also allows these host names.
async fn serve(names: &[&str]) -> Server {
    let names = names.iter().map(|name| name.parse().unwrap()).collect();
    Server::start("127.0.0.1:0".parse().unwrap(), Library::default(), names).await.unwrap()
}

/// Sends a request like a program and returns the body of the response.
async fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer sk-x\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
    body.to_owned()
}

async fn json(address: SocketAddr, method: &str, path: &str, body: &str) -> Value {
    serde_json::from_str(&ask(address, method, path, body).await).unwrap()
}

/// The number of armed mocks.
async fn armed(address: SocketAddr) -> u64 {
    json(address, "GET", "/_upfault/health", "").await["armed"].as_u64().unwrap()
}

/// Arms a mock whose ledger contains the prompt, and returns its id.
async fn mock_with_a_secret(address: SocketAddr) -> String {
    let id = json(address, "POST", "/_upfault/arm", ARM).await["id"].as_str().unwrap().to_owned();
    let prompt = format!(r#"{{"model": "m", "messages": [{{"role": "user", "content": "{PROMPT}"}}]}}"#);
    ask(address, "POST", &format!("/{id}/primary/v1/chat/completions"), &prompt).await;
    id
}

/// Runs a program, which must succeed within a minute.
async fn run(program: impl AsRef<OsStr>, args: &[&str], server: SocketAddr) -> String {
    let mut command = Command::new(program);
    command.args(args).env("UPFAULT_URL", format!("http://{server}")).kill_on_drop(true);
    let output = timeout(Duration::from_secs(60), command.output()).await.expect("it took too long");
    let Output { status, stdout, stderr } = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}\n{stderr}");
    stdout.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn pytest_arms_calls_reads_and_disarms() {
    if !is_wanted("pytest") {
        return;
    }
    let server = serve(&[]).await;
    let python = variable("UPFAULT_PYTHON").unwrap_or_else(|| "python3".to_owned());
    let test = folder().join("test_serve.py");
    let args = ["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", test.to_str().unwrap()];
    let said = run(python, &args, server.address()).await;
    assert!(said.contains("1 passed"), "{said}");
    assert_eq!(armed(server.address()).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn vitest_arms_calls_reads_and_disarms() {
    if !is_wanted("vitest") {
        return;
    }
    let server = serve(&[]).await;
    let vitest = folder().join("node_modules/vitest/vitest.mjs");
    let args = [vitest.to_str().unwrap(), "run", "--root", folder().to_str().unwrap(), "--no-color"]
        .map(str::to_owned);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let said = run("node", &args, server.address()).await;
    assert!(said.contains("1 passed"), "{said}");
    assert_eq!(armed(server.address()).await, 0);
}

/// Runs an example, which starts its own server: the program under test is on the PATH.
async fn run_example(program: impl AsRef<OsStr>, args: &[&str]) -> String {
    let upfault = PathBuf::from(env!("CARGO_BIN_EXE_upfault"));
    let inherited = variable("PATH").unwrap_or_default();
    let path = format!("{}:{inherited}", upfault.parent().unwrap().display());
    let mut command = Command::new(program);
    command.args(args).env("PATH", path).kill_on_drop(true);
    // The first import of the SDKs is slow on a busy machine.
    let output = timeout(Duration::from_secs(180), command.output()).await.expect("it took too long");
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    stdout.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_pytest_passes_with_the_official_sdks() {
    if !is_wanted("pytest") {
        return;
    }
    let python = variable("UPFAULT_PYTHON").unwrap_or_else(|| "python3".to_owned());
    let example = examples().join("pytest");
    let args = ["-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", example.to_str().unwrap()];
    let said = run_example(python, &args).await;
    assert!(said.contains("3 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_vitest_passes_with_the_official_sdks() {
    if !is_wanted("vitest") {
        return;
    }
    let example = examples().join("vitest");
    let vitest = example.join("node_modules/vitest/vitest.mjs");
    let args = [vitest.to_str().unwrap(), "run", "--root", example.to_str().unwrap(), "--no-color"];
    let said = run_example("node", &args).await;
    assert!(said.contains("3 passed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_command_in_the_documentation_works() {
    if !is_wanted("curl") {
        return;
    }
    let server = serve(&[]).await;
    let address = server.address();
    let stage = tempfile::tempdir().unwrap();
    std::fs::write(stage.path().join("arm.json"), ARM).unwrap();
    let document = std::fs::read_to_string(folder().join("../../docs/serve.md")).unwrap();
    let line =
        document.lines().find_map(|line| line.strip_prefix("$ ").filter(|line| line.contains("@arm.json")));
    let line = line.expect("docs/serve.md shows how").replace("127.0.0.1:41237", &address.to_string());
    let script = format!("cd '{}' && {line} --fail-with-body --silent --noproxy '*'", stage.path().display());
    let said: Value = serde_json::from_str(&run("sh", &["-c", &script], address).await).unwrap();
    assert!(said["base_url"].as_str().unwrap().starts_with(&format!("http://{address}/")), "{said}");
    assert_eq!(armed(address).await, 1);
}

/// In HTTP/2, the host is in `:authority`.
#[tokio::test(flavor = "multi_thread")]
async fn http2_requests_are_restricted_to_the_same_hosts() {
    if !is_wanted("curl") {
        return;
    }
    let server = serve(&[]).await;
    let address = server.address();
    let arm = ARM.replace("\"provider\"", "\"transport\": \"http2\", \"provider\"");
    let base = json(address, "POST", "/_upfault/arm", &arm).await["base_url"].as_str().unwrap().to_owned();
    let health = base.split('/').take(3).collect::<Vec<_>>().join("/") + "/_upfault/health";
    let stage = tempfile::tempdir().unwrap();
    let ca = stage.path().join("ca.pem");
    std::fs::write(&ca, ask(address, "GET", "/_upfault/ca.pem", "").await).unwrap();
    for (host, expected) in [("127.0.0.1", "2 200"), ("evil.test", "2 421")] {
        let host = format!("Host: {host}");
        let args = ["--http2", "--noproxy", "*", "--silent", "--cacert", ca.to_str().unwrap(), "-H", &host];
        let shown = ["--write-out", "%{http_version} %{http_code}", "--output", "/dev/null", &health];
        assert_eq!(run("curl", &[&args[..], &shown].concat(), address).await, expected, "{host}");
    }
}
