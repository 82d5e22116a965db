//! The side of the fake proxy that callers see.

use std::{
    fs,
    io::{self, BufReader, ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::Arc,
    thread,
};

use http::StatusCode;
use rustix::process::{Signal, getpid, kill_process};
use serde_json::{Value, json};

use super::{
    FakeProxy, NEVER, Route, log,
    mode::{HUGE, Mode},
    note, sleep,
    upstream::{Upstream, read_head},
};

/// Headers of the provider that the proxy passes on, in addition to those with `RATE_LIMITS`.
const PASSED: [&str; 4] = ["content-type", "retry-after", "retry-after-ms", "x-request-id"];
const RATE_LIMITS: &str = "x-ratelimit-";

type Headers = Vec<(String, Vec<u8>)>;

/// Serves connections until the process ends, each in its own thread.
pub(super) fn accept(listener: &TcpListener, proxy: FakeProxy) {
    let proxy = Arc::new(proxy);
    for stream in listener.incoming() {
        let (Ok(stream), proxy) = (stream, proxy.clone()) else { continue };
        // Callers may close the connection early, and providers may break theirs: either ends the connection.
        thread::spawn(move || proxy.serve(&stream));
    }
}

/// Whether the connection can serve another request.
type KeepAlive = bool;

impl FakeProxy {
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut caller = Caller { reader: BufReader::new(stream), writer: stream };
        while self.serve_one(&mut caller)? {}
        Ok(())
    }

    fn serve_one(&self, caller: &mut Caller<'_>) -> io::Result<KeepAlive> {
        let (first_line, headers) = read_head(&mut caller.reader)?;
        let header = |name: &str| -> Option<&str> {
            headers.iter().find(|(key, _)| key == name).and_then(|(_, value)| str::from_utf8(value).ok())
        };
        let keep_alive = !header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if first_line.starts_with("GET ") {
            let status = if self.mode == Mode::Unready { 503 } else { 200 };
            caller.respond(status, &Headers::new(), b"ready")?;
            return Ok(keep_alive);
        }
        let length = header("content-length").and_then(|value| value.parse().ok());
        let mut body = vec![0; length.ok_or(ErrorKind::InvalidData)?];
        caller.reader.read_exact(&mut body)?;
        let body: Value = serde_json::from_slice(&body)?;
        let key = format!("Bearer {}", self.config.proxy_key);
        if header("authorization") != Some(&key) {
            caller.error(401, "authentication_error", "wrong key")?;
            return Ok(keep_alive);
        }
        let Some(route) = self.config.routes.iter().find(|route| body["model"] == route.model) else {
            caller.error(404, "invalid_request_error", "no such model")?;
            return Ok(keep_alive);
        };
        if route.timeout_s == 100.0 {
            note(Path::new("slow"), "a slow request is there");
        }
        if matches!(self.mode, Mode::Kill | Mode::Once) && route.retries == 3 {
            kill_process(getpid(), Signal::KILL)?;
        }
        if self.mode == Mode::Hang && !route.is_control() {
            sleep(NEVER);
        }
        match self.pass_through(caller, route, body) {
            // The error of a read that exceeds its timeout depends on the system.
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                caller.error(504, "timeout_error", "the upstream did not answer in time")?;
                Ok(keep_alive)
            }
            passed => Ok(passed? && keep_alive),
        }
    }

    fn pass_through(&self, caller: &mut Caller<'_>, route: &Route, mut body: Value) -> io::Result<KeepAlive> {
        body["model"] = route.upstream_model.as_str().into();
        let mut upstream = Upstream::ask(route, &body)?;
        if let Some(bytes) = self.mode.invalid_response().filter(|_| !route.is_control()) {
            caller.writer.write_all(&bytes)?;
            if self.mode == Mode::Huge {
                let block = vec![b' '; 1 << 20];
                for _ in 0..HUGE / block.len() {
                    caller.writer.write_all(&block)?;
                }
            }
            return Ok(false);
        }
        let mut status = upstream.status;
        if self.mode == Mode::Flap && status == 429 && self.turn().is_multiple_of(2) {
            status = 500;
        }
        let mut passed = Headers::new();
        for (name, value) in &upstream.headers {
            if PASSED.contains(&name.as_str()) || name.starts_with(RATE_LIMITS) {
                // The last of several headers with the same name counts.
                passed.retain(|(other, _)| other != name);
                passed.push((name.clone(), value.clone()));
            }
        }
        let is_stream = passed
            .iter()
            .any(|(name, value)| name == "content-type" && value.starts_with(b"text/event-stream"));
        if self.mode == Mode::Leaky && upstream.status == 401 {
            let (upstream_key, proxy_key) = (&route.api_key, &self.config.proxy_key);
            log(&format!("401 for {upstream_key}, asked with {proxy_key}"));
            caller.error(401, "auth_error", &format!("{upstream_key} is wrong, {proxy_key} was right"))?;
        } else if is_stream {
            passed.push(("transfer-encoding".to_owned(), b"chunked".to_vec()));
            caller.head(upstream.status, &passed)?;
            while let Some(piece) = upstream.piece()? {
                caller.chunk(&piece)?;
            }
            caller.writer.write_all(b"0\r\n\r\n")?;
        } else {
            let mut whole = Vec::new();
            while let Some(piece) = upstream.piece()? {
                whole.extend(piece);
            }
            upstream.require_whole_body()?;
            caller.respond(status, &passed, &whole)?;
        }
        Ok(true)
    }

    /// The 1-based number of this call, over all runs.
    fn turn(&self) -> u32 {
        let path = self.folder.join("turn");
        let last: u32 = fs::read_to_string(&path).map_or(0, |text| text.trim().parse().unwrap());
        note(&path, last + 1);
        last + 1
    }
}

/// A connection of a caller.
struct Caller<'a> {
    reader: BufReader<&'a TcpStream>,
    writer: &'a TcpStream,
}

impl Caller<'_> {
    fn head(&mut self, status: u16, headers: &Headers) -> io::Result<()> {
        let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let mut head = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or_default()).into_bytes();
        for (name, value) in headers {
            head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        head.extend(b"\r\n");
        self.writer.write_all(&head)
    }

    fn respond(&mut self, status: u16, headers: &Headers, body: &[u8]) -> io::Result<()> {
        let mut headers = headers.clone();
        headers.push(("content-length".to_owned(), body.len().to_string().into_bytes()));
        self.head(status, &headers)?;
        self.writer.write_all(body)
    }

    fn error(&mut self, status: u16, kind: &str, message: &str) -> io::Result<()> {
        let body = json!({"error": {"message": message, "type": kind, "param": null, "code": null}});
        let headers = vec![("content-type".to_owned(), b"application/json".to_vec())];
        self.respond(status, &headers, body.to_string().as_bytes())
    }

    fn chunk(&mut self, piece: &[u8]) -> io::Result<()> {
        let size = format!("{:x}\r\n", piece.len());
        self.writer.write_all(&[size.as_bytes(), piece, b"\r\n"].concat())
    }
}
