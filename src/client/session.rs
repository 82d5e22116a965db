//! A caller's WebSocket session: it requests one response, and records all frames until its end.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    body::BodyRecorder,
    call::ClientCall,
    driver::{Clock, Driver, MAX_BYTES},
    ending::ending_of,
    leave::{LeavingRequest, prepare},
};
use crate::{
    observation::{
        Exchange, ExchangeOutcome, ReceivedClose, ReceivedFrame, Response, ResponseBody, ResponseEnd,
    },
    wire::websocket::{self, WebSocketDecoder, WebSocketEvent},
};

/// The time for which a caller waits, after an error event, for the other side to end the session: some servers end
/// it and some do not.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// The time for which a caller waits for the answer to its own close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A constant mask, so that the same run sends the same bytes. Random masks keep a client's bytes from looking like a
/// request to intermediaries (RFC 6455 section 10.3); on loopback there are none.
const MASK: [u8; 4] = *b"upfa";

/// Whether a call asks for a WebSocket.
pub(super) fn is_session(call: &ClientCall) -> bool {
    call.headers.iter().any(|(name, value)| name == "upgrade" && value == "websocket")
}

impl Driver {
    /// Opens the session, sends the call's body when the session is open, and reads until a response, an error or
    /// the end of the session.
    pub(super) async fn hold_session(&self, call: ClientCall, epoch: Instant, deadline: Instant) -> Exchange {
        let clock = Clock(epoch);
        let sent_ms = clock.now();
        let event = String::from_utf8_lossy(&call.body).into_owned();
        let handshake = ClientCall { body: Vec::new(), ..call };
        let outcome = match prepare(&handshake, "a session is possible only") {
            Err(reason) => ExchangeOutcome::NoAnswer { ending: ResponseEnd::Broken(reason) },
            Ok((host, request)) => match timeout_at(deadline, TcpStream::connect(host)).await {
                Ok(Ok(socket)) => Caller { clock, deadline }.visit(socket, request, &event).await,
                Ok(Err(error)) => ExchangeOutcome::NoAnswer { ending: ending_of(&error) },
                Err(_) => ExchangeOutcome::NoAnswer { ending: ResponseEnd::Deadline },
            },
        };
        Exchange {
            step: handshake.step,
            sent_ms,
            method: handshake.method.as_str().to_owned(),
            url: handshake.url,
            request_headers: handshake.headers,
            request_body: event,
            outcome,
            end_ms: clock.now(),
            left: None,
            to: None,
            together: false,
            mistake: None,
        }
    }
}

#[derive(Clone, Copy)]
struct Caller {
    clock: Clock,
    deadline: Instant,
}

impl Caller {
    async fn visit(self, socket: TcpStream, request: LeavingRequest, event: &str) -> ExchangeOutcome {
        let _ = socket.set_nodelay(true);
        let no_answer = |ending| ExchangeOutcome::NoAnswer { ending };
        let (mut sender, connection) = match http1::handshake(TokioIo::new(socket)).await {
            Ok(both) => both,
            Err(error) => return no_answer(ending_of(&error)),
        };
        let mut connection = Box::pin(connection.with_upgrades());
        let mut connected = true;
        // Waits for a future and polls the connection meanwhile.
        macro_rules! wait {
            ($what:expr) => {{
                let mut what = std::pin::pin!($what);
                loop {
                    tokio::select! {
                        biased;
                        got = &mut what => break Ok(got),
                        () = sleep_until(self.deadline) => break Err(ResponseEnd::Deadline),
                        _ = &mut connection, if connected => connected = false,
                    }
                }
            }};
        }
        let response = match wait!(sender.send_request(request)) {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return no_answer(ending_of(&error)),
            Err(ending) => return no_answer(ending),
        };
        let mut answer = self.head(&response);
        if answer.status == 101 {
            let upgraded = match wait!(hyper::upgrade::on(response)) {
                Ok(Ok(upgraded)) => upgraded,
                Ok(Err(error)) => {
                    answer.ending = ending_of(&error);
                    return ExchangeOutcome::Answer(answer);
                }
                Err(ending) => {
                    answer.ending = ending;
                    return ExchangeOutcome::Answer(answer);
                }
            };
            let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
                return no_answer(ResponseEnd::Broken(
                    "the upgraded connection is not a TCP connection".to_owned(),
                ));
            };
            let session = Session::new(self, parts.io.into_inner(), &parts.read_buf);
            return ExchangeOutcome::Answer(session.hold(answer, event).await);
        }
        let mut body = response.into_body();
        let mut recorder = BodyRecorder::new(answer.carrier());
        answer.ending = loop {
            match wait!(body.frame()) {
                Ok(Some(Ok(frame))) => {
                    recorder.take(frame.data_ref().map_or(&[][..], |bytes| bytes), self.clock.now());
                    if recorder.bytes() > MAX_BYTES {
                        break ResponseEnd::Broken("the body is longer than 64 MiB".into());
                    }
                }
                Ok(Some(Err(error))) => break ending_of(&error),
                Ok(None) => break ResponseEnd::Complete,
                Err(ending) => break ending,
            }
        };
        answer.body = recorder.finish();
        ExchangeOutcome::Answer(answer)
    }

    fn head<T>(self, response: &http::Response<T>) -> Response {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers =
            response.headers().iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
        Response {
            status: response.status().as_u16(),
            headers: headers.collect(),
            head_ms: self.clock.now(),
            body: ResponseBody::default(),
            ending: ResponseEnd::Complete,
            closed: None,
        }
    }
}

/// The phase of a caller's session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The session is not open yet.
    Opening,
    /// The caller has requested a response.
    Asked,
    /// The caller got an error event, and waits for the end of the session.
    Failed,
    /// The caller has its response, or has waited long enough, and has sent a close frame.
    Leaving,
}

struct Session {
    caller: Caller,
    socket: TcpStream,
    decoder: WebSocketDecoder,
    bytes: u64,
    frames: Vec<ReceivedFrame>,
    phase: Phase,
    /// The time at which the wait of the current phase ends.
    until: Instant,
    closed: Option<ReceivedClose>,
}

impl Session {
    fn new(caller: Caller, socket: TcpStream, read: &Bytes) -> Self {
        let mut decoder = WebSocketDecoder::default();
        decoder.feed(read);
        Self {
            caller,
            socket,
            decoder,
            bytes: read.len() as u64,
            frames: Vec::new(),
            phase: Phase::Opening,
            until: caller.deadline,
            closed: None,
        }
    }

    async fn hold(mut self, mut answer: Response, event: &str) -> Response {
        answer.ending = self.until_over(event).await;
        let mut lines: Vec<&str> = self.frames.iter().map(|frame| frame.data.as_str()).collect();
        lines.extend(self.closed.as_ref().map(|closed| closed.reason.as_str()));
        answer.body = ResponseBody {
            text: lines.join("\n"),
            bytes: self.bytes,
            utf8: true,
            damage: None,
            frames: std::mem::take(&mut self.frames),
        };
        answer.closed = self.closed;
        answer
    }

    async fn until_over(&mut self, event: &str) -> ResponseEnd {
        loop {
            while let Some(received) = self.decoder.pop() {
                if let Some(ending) = self.take(received, event).await {
                    return ending;
                }
            }
            if let Some(broken) = self.decoder.broken() {
                return ResponseEnd::Broken(format!("invalid WebSocket frames: {broken}"));
            }
            if self.bytes > MAX_BYTES {
                return ResponseEnd::Broken("the session is longer than 64 MiB".into());
            }
            let mut bytes = Vec::with_capacity(16 * 1024);
            match timeout_at(self.until, self.socket.read_buf(&mut bytes)).await {
                // After the caller's close frame the server may end the connection without one.
                Ok(Ok(0) | Err(_)) if self.phase == Phase::Leaving => return ResponseEnd::Complete,
                Ok(Ok(0)) => return ResponseEnd::Closed,
                Ok(Ok(n)) => {
                    self.bytes += n as u64;
                    self.decoder.feed(&bytes);
                }
                Ok(Err(error)) => return ending_of(&error),
                Err(_) => match self.phase {
                    Phase::Failed => self.leave().await,
                    Phase::Leaving => return ResponseEnd::Complete,
                    Phase::Opening | Phase::Asked => return ResponseEnd::Deadline,
                },
            }
        }
    }

    async fn take(&mut self, received: WebSocketEvent, event: &str) -> Option<ResponseEnd> {
        match received {
            WebSocketEvent::Text(data) => {
                let kind = serde_json::from_str::<serde_json::Value>(&data).unwrap_or_default();
                let kind = kind["type"].as_str().map(str::to_owned).unwrap_or_default();
                self.frames.push(ReceivedFrame { at_ms: self.caller.clock.now(), event: None, data });
                match (kind.as_str(), self.phase) {
                    ("session.created", Phase::Opening) => {
                        self.phase = Phase::Asked;
                        self.send(&websocket::masked_text(event, MASK)).await;
                    }
                    ("response.done", Phase::Asked) => self.leave().await,
                    ("error", Phase::Opening | Phase::Asked) => {
                        self.phase = Phase::Failed;
                        self.until = self.caller.deadline.min(Instant::now() + AFTER_ERROR);
                    }
                    _ => {}
                }
            }
            WebSocketEvent::Binary(bytes) => {
                let data = format!("<{} bytes>", bytes.len());
                let event = Some("binary".to_owned());
                self.frames.push(ReceivedFrame { at_ms: self.caller.clock.now(), event, data });
            }
            WebSocketEvent::Ping(payload) => self.send(&websocket::pong(&payload, Some(MASK))).await,
            WebSocketEvent::Pong => {}
            WebSocketEvent::Close(code, reason) => {
                let answered = self.phase == Phase::Leaving;
                self.closed = Some(ReceivedClose { code, reason, answered });
                if !answered {
                    self.send(&websocket::close(code, "", Some(MASK))).await;
                }
                return Some(ResponseEnd::Complete);
            }
        }
        None
    }

    /// Sends a close frame, and starts to wait for the answer.
    async fn leave(&mut self) {
        self.phase = Phase::Leaving;
        self.until = self.caller.deadline.min(Instant::now() + CLOSE_TIMEOUT);
        self.send(&websocket::close(Some(1000), "", Some(MASK))).await;
    }

    /// Sends a frame. The next read reports a failed connection.
    async fn send(&mut self, frame: &[u8]) {
        let _ = timeout_at(self.caller.deadline, self.socket.write_all(frame)).await;
    }
}
