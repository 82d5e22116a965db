//! A caller's WebSocket session: it requests one response, and records all frames until its end.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{
    call::ClientCall,
    caller::{Caller, Clock, MAX_BYTES},
    connection,
    ending::ending_of,
};
use crate::{
    observation::{ExchangeOutcome, ReceivedClose, ReceivedFrame, Response, ResponseBody, ResponseEnd},
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

/// Opens the session, sends the call's body when the session is open, and reads until a response, an error or the end
/// of the session.
pub(super) async fn hold(call: &ClientCall, clock: Clock, deadline: Instant) -> ExchangeOutcome {
    let event = String::from_utf8_lossy(&call.body);
    let handshake = ClientCall { body: Vec::new(), ..call.clone() };
    match visit(&handshake, &event, clock, deadline).await {
        Ok(answer) => ExchangeOutcome::Answer(answer),
        Err(ending) => ExchangeOutcome::NoAnswer { ending },
    }
}

async fn visit(
    handshake: &ClientCall,
    event: &str,
    clock: Clock,
    deadline: Instant,
) -> Result<Response, ResponseEnd> {
    let (socket, request) = connection::open(handshake, "a session is possible only", deadline).await?;
    let mut caller = Caller::new(clock, deadline, None);
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(socket)).await.map_err(|error| ending_of(&error))?;
    caller.connect(connection.with_upgrades());
    let response = caller.response(sender.send_request(request)).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(caller.read(response).await);
    }
    let mut answer = caller.head(&response);
    let upgraded = match caller.response(hyper::upgrade::on(response)).await {
        Ok(upgraded) => upgraded,
        Err(ending) => {
            answer.ending = ending;
            return Ok(answer);
        }
    };
    let parts = upgraded
        .downcast::<TokioIo<TcpStream>>()
        .map_err(|_| ResponseEnd::Broken("the upgraded connection is not a TCP connection".to_owned()))?;
    let session = Session::new(clock, deadline, parts.io.into_inner(), &parts.read_buf);
    Ok(session.hold(answer, event).await)
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
    clock: Clock,
    deadline: Instant,
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
    fn new(clock: Clock, deadline: Instant, socket: TcpStream, read: &Bytes) -> Self {
        let mut decoder = WebSocketDecoder::default();
        decoder.feed(read);
        Self {
            clock,
            deadline,
            socket,
            decoder,
            bytes: read.len() as u64,
            frames: Vec::new(),
            phase: Phase::Opening,
            until: deadline,
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
            coded: None,
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
                self.frames.push(ReceivedFrame { at_ms: self.clock.now(), event: None, data });
                match (kind.as_str(), self.phase) {
                    ("session.created", Phase::Opening) => {
                        self.phase = Phase::Asked;
                        self.send(&websocket::masked_text(event, MASK)).await;
                    }
                    ("response.done", Phase::Asked) => self.leave().await,
                    ("error", Phase::Opening | Phase::Asked) => {
                        self.phase = Phase::Failed;
                        self.until = self.deadline.min(Instant::now() + AFTER_ERROR);
                    }
                    _ => {}
                }
            }
            WebSocketEvent::Binary(bytes) => {
                let data = format!("<{} bytes>", bytes.len());
                let event = Some("binary".to_owned());
                self.frames.push(ReceivedFrame { at_ms: self.clock.now(), event, data });
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
        self.until = self.deadline.min(Instant::now() + CLOSE_TIMEOUT);
        self.send(&websocket::close(Some(1000), "", Some(MASK))).await;
    }

    /// Sends a frame. The next read reports a failed connection.
    async fn send(&mut self, frame: &[u8]) {
        let _ = timeout_at(self.deadline, self.socket.write_all(frame)).await;
    }
}
