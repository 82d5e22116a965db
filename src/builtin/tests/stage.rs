//! Scripted upstreams, a proxy in front of them, and the response that a caller gets.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::{
    builtin::{Builtin, Defect, EmbeddedProxy},
    proxy::{InstanceSettings, ProxyRoute},
    scenario::{Api, Cooldown, Provider, ProxySettings},
};

#[derive(Debug, Clone)]
pub(super) enum ScriptStep {
    Send(String),
    /// Bytes that are not text.
    Bytes(Vec<u8>),
    /// Milliseconds.
    Wait(u64),
    Reset,
    Hang,
}

/// What an upstream does on one request. After the last step it sends a FIN.
pub(super) type Script = Vec<ScriptStep>;

pub(super) fn json(status: u16, headers: &str, body: &str) -> Script {
    let length = body.len();
    vec![ScriptStep::Send(format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ))]
}

pub(super) fn error(status: u16, headers: &str, code: &str) -> Script {
    let body =
        format!(r#"{{"error":{{"message":"canary {code}","type":"kind","param":null,"code":"{code}"}}}}"#);
    json(status, headers, &body)
}

pub(super) fn ok() -> Script {
    json(200, "x-request-id: req_ok\r\n", r#"{"choices":[{"index":0,"message":{"content":"hi"}}]}"#)
}

pub(super) const ROLE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n";
pub(super) const ONE: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"one\"}}]}\n\n";
pub(super) const TWO: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"two\"}}]}\n\n";
pub(super) const STOP: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
pub(super) const DONE: &str = "data: [DONE]\n\n";
pub(super) const ERROR: &str = "data: {\"error\":{\"message\":\"canary mid\",\"type\":\"kind\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}\n\n";

/// A 200 with these events; `last` is what happens after them.
pub(super) fn events(events: &[&str], last: Last) -> Script {
    let mut text = String::from(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\nset-cookie: a=b\r\nx-ratelimit-remaining-requests: 9\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for event in events {
        text.push_str(&format!("{:x}\r\n{event}\r\n", event.len()));
    }
    if last == Last::End {
        text.push_str("0\r\n\r\n");
    }
    let mut script = vec![ScriptStep::Send(text)];
    match last {
        Last::End | Last::Close => {}
        Last::Reset => script.extend([ScriptStep::Wait(30), ScriptStep::Reset]),
        Last::Hang => script.push(ScriptStep::Hang),
    }
    script
}

/// A 200 with these frames, of any content type and without a length: a FIN ends the body.
pub(super) fn frames(content_type: &str, frames: &[&[u8]], last: Last) -> Script {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n");
    let mut script = vec![ScriptStep::Send(head), ScriptStep::Bytes(frames.concat())];
    match last {
        Last::End | Last::Close => {}
        Last::Reset => script.extend([ScriptStep::Wait(30), ScriptStep::Reset]),
        Last::Hang => script.push(ScriptStep::Hang),
    }
    script
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Last {
    End,
    Close,
    Reset,
    Hang,
}

/// A mock that plays one script for each request; the last one repeats.
#[derive(Debug)]
pub(super) struct ScriptedUpstream {
    pub address: String,
    requests: Arc<Mutex<Vec<(Instant, String)>>>,
    /// The number of callers that left while the mock kept them waiting.
    left: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl ScriptedUpstream {
    pub(super) async fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (requests, left) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        let (seen, gone) = (requests.clone(), left.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let (seen, gone, scripts) = (seen.clone(), gone.clone(), scripts.clone());
                connections.spawn(async move {
                    let Some(request) = read_request(&mut socket).await else { return };
                    let n = {
                        let mut seen = seen.lock().unwrap();
                        seen.push((Instant::now(), request));
                        seen.len()
                    };
                    play(&mut socket, &scripts[(n - 1).min(scripts.len() - 1)], &gone).await;
                });
            }
        });
        Self { address, requests, left, _tasks: tasks }
    }

    pub(super) fn attempts(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(super) fn request(&self, n: usize) -> String {
        self.requests.lock().unwrap()[n].1.clone()
    }

    /// The time between the first two requests.
    pub(super) fn first_gap(&self) -> Duration {
        let requests = self.requests.lock().unwrap();
        requests[1].0 - requests[0].0
    }

    pub(super) fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }
}

async fn read_request(socket: &mut TcpStream) -> Option<String> {
    let mut seen = Vec::new();
    loop {
        if socket.read_buf(&mut seen).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&seen);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
        });
        if body.len() >= length.unwrap_or(0) {
            return Some(text.into_owned());
        }
    }
}

async fn play(socket: &mut TcpStream, script: &Script, gone: &AtomicUsize) {
    for act in script {
        match act {
            ScriptStep::Send(text) => {
                if socket.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
            ScriptStep::Bytes(bytes) => {
                if socket.write_all(bytes).await.is_err() {
                    return;
                }
            }
            ScriptStep::Wait(ms) => tokio::time::sleep(Duration::from_millis(*ms)).await,
            ScriptStep::Reset => {
                socket.set_zero_linger().unwrap();
                return;
            }
            ScriptStep::Hang => {
                let mut byte = [0];
                let _ = socket.read(&mut byte).await;
                gone.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// One proxy in front of one or two upstreams.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    /// The provider of the first model.
    pub provider: Provider,
    pub scripts: Vec<Script>,
    pub backup: Option<Vec<Script>>,
    pub refuse: bool,
    pub stream: bool,
    pub timeout_s: f64,
    pub retries: u32,
    pub cooldown: Option<Cooldown>,
    pub pass_through: bool,
    pub keep_alive_s: Option<f64>,
}

impl Setup {
    pub(super) fn new(scripts: impl Into<Vec<Script>>) -> Self {
        Self {
            provider: Provider::Openai,
            scripts: scripts.into(),
            backup: None,
            refuse: false,
            stream: false,
            timeout_s: 20.0,
            retries: 0,
            cooldown: None,
            pass_through: false,
            keep_alive_s: None,
        }
    }

    pub(super) fn streamed(scripts: impl Into<Vec<Script>>) -> Self {
        Self { stream: true, ..Self::new(scripts) }
    }

    pub(super) async fn start(&self, defect: Option<Defect>) -> ProxyStage {
        self.start_as(defect.into()).await
    }

    pub(super) async fn start_as(&self, proxy: EmbeddedProxy) -> ProxyStage {
        let main = ScriptedUpstream::start(self.scripts.clone()).await;
        let backup = ScriptedUpstream::start(self.backup.clone().unwrap_or_else(|| vec![ok()])).await;
        // The socket is bound, so that no other program gets the port, but does not listen: connections are
        // refused.
        let deaf = TcpSocket::new_v4().unwrap();
        deaf.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let refusing = deaf.local_addr().unwrap().to_string();
        let settings = ProxySettings {
            timeout: Duration::from_secs_f64(self.timeout_s),
            retries: self.retries,
            cooldown: self.cooldown,
            pass_through: self.pass_through,
            keep_alive: self.keep_alive_s.map(Duration::from_secs_f64),
            ..ProxySettings::default()
        };
        let route = |model: &str, address: &str| ProxyRoute {
            model: model.into(),
            api: Api::OpenaiChat,
            provider: Provider::Openai,
            upstream_model: format!("upstream-{model}"),
            base_url: format!("http://{address}/{model}/v1"),
            api_key: format!("sk-secret-{model}"),
            fallbacks: vec![],
            settings: settings.clone(),
            group: "case".into(),
            own: serde_json::Value::Null,
        };
        let mut first = route("main", if self.refuse { &refusing } else { &main.address });
        first.provider = self.provider;
        first.base_url = first.base_url.replace("/v1", crate::provider::base_path(self.provider));
        first.fallbacks = self.backup.iter().map(|_| "backup".to_owned()).collect();
        let routes = vec![first, route("backup", &backup.address)];
        let settings = InstanceSettings::of(&settings, |_| false);
        let proxy = Builtin::start(routes.into(), settings, None, proxy).await.unwrap();
        ProxyStage { proxy, main, backup, stream: self.stream, _deaf: deaf }
    }

    /// Starts the proxy with its upstreams and sends one request.
    pub(super) async fn run(&self, defect: Option<Defect>) -> (CallerResult, ProxyStage) {
        let stage = self.start(defect).await;
        (stage.send().await, stage)
    }
}

/// A running proxy with its upstreams.
#[derive(Debug)]
pub(super) struct ProxyStage {
    pub proxy: Builtin,
    pub main: ScriptedUpstream,
    pub backup: ScriptedUpstream,
    stream: bool,
    _deaf: TcpSocket,
}

/// The response that a caller got.
#[derive(Debug)]
pub(super) struct CallerResult {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    /// The body, with invalid UTF-8 replaced.
    pub text: String,
    pub bytes: Vec<u8>,
    pub end: ScriptEnd,
    pub took: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum ScriptEnd {
    Complete,
    Cut,
    /// The connection stayed open without more data.
    Open,
}

impl CallerResult {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The error object of a JSON reply.
    pub(super) fn error(&self) -> serde_json::Value {
        serde_json::from_str::<serde_json::Value>(&self.text).unwrap_or_default()["error"].clone()
    }
}

impl ProxyStage {
    pub(super) fn request(&self) -> reqwest::RequestBuilder {
        self.request_to("main")
    }

    /// A request for one of the models, `main` or `backup`.
    pub(super) fn request_to(&self, model: &str) -> reqwest::RequestBuilder {
        let stream = if self.stream { r#","stream":true"# } else { "" };
        reqwest_client()
            .post(format!("{}/v1/chat/completions", self.proxy.root()))
            .bearer_auth(self.proxy.proxy_key())
            .body(format!(r#"{{"model":"{model}"{stream},"messages":[]}}"#))
    }

    /// A request for another path, with the usual key.
    pub(super) async fn post(&self, path: &str, body: &str) -> CallerResult {
        let url = format!("{}{path}", self.proxy.root());
        take(reqwest_client().post(url).bearer_auth(self.proxy.proxy_key()).body(body.to_owned())).await
    }

    pub(super) async fn send(&self) -> CallerResult {
        take(self.request()).await
    }
}

pub(super) fn reqwest_client() -> reqwest::Client {
    crate::builtin::attempt::client(None, true).unwrap()
}

/// Sends a request and reads the response as far as it arrives.
pub(super) async fn take(request: reqwest::RequestBuilder) -> CallerResult {
    let start = Instant::now();
    let mut response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut bytes = Vec::new();
    let end = loop {
        match tokio::time::timeout(Duration::from_secs(2), response.chunk()).await {
            Ok(Ok(Some(piece))) => bytes.extend_from_slice(&piece),
            Ok(Ok(None)) => break ScriptEnd::Complete,
            Ok(Err(_)) => break ScriptEnd::Cut,
            Err(_) => break ScriptEnd::Open,
        }
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    CallerResult { status, headers, text, bytes, end, took: start.elapsed() }
}

/// Waits until a condition holds; fails the test if it never does.
pub(super) async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came to be");
}
