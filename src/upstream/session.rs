//! Performs a plan on a WebSocket: sends the planned messages, waits for those of the client, and answers
//! pings and close frames.

use std::io;

use bytes::Bytes;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    delay_clock::DelayClock,
    ledger::AttemptRecorder,
    raw::{BETWEEN_PACKETS, RawReply, encoded},
    socket::{CLOSE_TIMEOUT, Socket},
};
use crate::{
    fault::{Framing, Plan, WireAction},
    observation::{AttemptEnd, ReceivedClose},
    wire::websocket::{self, WebSocketDecoder, WebSocketEvent},
};

/// Whether a plan opens a WebSocket.
pub(super) fn is_session(plan: &Plan) -> bool {
    plan.actions
        .iter()
        .any(|action| matches!(action, WireAction::Head(head) if head.framing == Framing::WebSocket))
}

/// Performs a whole plan. The connection is not reused afterwards.
///
/// If the client leaves, the drop of the recorder records the attempt's end.
pub(super) async fn perform(order: RawReply, socket: Socket, unread: Bytes, written: u64) {
    let RawReply { plan, recorder, key, .. } = order;
    let mut decoder = WebSocketDecoder::default();
    decoder.feed(&unread);
    let session =
        Session { socket, due: Vec::new(), written, decoder, recorder: Some(recorder), key, silent: false };
    // An error means that the connection has ended, so there is no client to report it to.
    let _ = session.play(plan).await;
}

struct Session {
    socket: Socket,
    /// Bytes to send.
    due: Vec<u8>,
    written: u64,
    decoder: WebSocketDecoder,
    /// `None` once the attempt's end is recorded.
    recorder: Option<AttemptRecorder>,
    /// The client's `Sec-WebSocket-Key`, which the handshake confirms.
    key: String,
    /// Whether even pings get no response.
    silent: bool,
}

/// The client has left, or has sent an invalid frame.
struct Left;

impl From<io::Error> for Left {
    fn from(_: io::Error) -> Self {
        Self
    }
}

impl Session {
    async fn play(mut self, plan: Plan) -> Result<(), Left> {
        let mut clock = DelayClock::default();
        for action in plan.actions {
            match action {
                WireAction::Head(mut head) => {
                    let accept = websocket::accept(&self.key);
                    head.headers.push(("sec-websocket-accept".into(), accept.into()));
                    self.due.extend(encoded(&head));
                    if let Some(recorder) = &self.recorder {
                        recorder.head(head, 0);
                    }
                }
                WireAction::Write { bytes, completes_frame } => {
                    if let Some(recorder) = &self.recorder {
                        recorder.wrote(&bytes, completes_frame);
                    }
                    self.due.extend_from_slice(&bytes);
                }
                WireAction::Raw { bytes, breaks } => {
                    if let (true, Some(recorder)) = (breaks, &self.recorder) {
                        recorder.broke();
                    }
                    self.due.extend_from_slice(&bytes);
                }
                WireAction::Flush => {
                    self.flush().await?;
                    sleep(BETWEEN_PACKETS).await;
                }
                WireAction::Wait(time) => {
                    self.flush().await?;
                    self.wait(clock.due(time), &mut clock).await?;
                }
                WireAction::Await(kind) => {
                    self.flush().await?;
                    while !self.hear().await?.is_some_and(|text| is_of(&text, kind)) {}
                }
                ending => {
                    self.flush().await?;
                    return self.end(ending).await;
                }
            }
        }
        Ok(())
    }

    async fn end(mut self, ending: WireAction) -> Result<(), Left> {
        match ending {
            WireAction::CloseFrame { code, reason } => {
                self.due.extend(websocket::close(code, &reason, None));
                // Write the ledger first, so that an observer who sees the end finds it there.
                if let Some(recorder) = self.recorder.take() {
                    recorder.closed(ReceivedClose { code, reason, answered: false });
                    recorder.end(if code == Some(1000) { AttemptEnd::Finished } else { AttemptEnd::Closed });
                }
                self.flush().await?;
                // The side that sends the first close frame waits for the other (RFC 6455 section 7.1.1).
                let _ = timeout(CLOSE_TIMEOUT, async { while self.hear().await.is_ok() {} }).await;
                self.socket.linger().await;
            }
            WireAction::Reset | WireAction::RstStream(_) => {
                self.note(AttemptEnd::Reset);
                self.socket.reset(self.written).await;
            }
            WireAction::Hang => {
                self.silent = true;
                while self.hear().await.is_ok() {}
            }
            // A finished session stays open until the client closes it.
            WireAction::Finish | WireAction::Overrun(_) | WireAction::CloseWhenReused => {
                self.note(AttemptEnd::Finished);
                while self.hear().await.is_ok() {}
                self.flush().await?;
                self.socket.linger().await;
            }
            _ => {
                self.note(AttemptEnd::Closed);
                self.socket.linger().await;
            }
        }
        Ok(())
    }

    fn note(&mut self, end: AttemptEnd) {
        if let Some(recorder) = self.recorder.take() {
            recorder.end(end);
        }
    }

    /// Waits, and answers pings meanwhile.
    async fn wait(&mut self, due: Instant, clock: &mut DelayClock) -> Result<(), Left> {
        loop {
            tokio::select! {
                () = sleep_until(due) => break,
                heard = self.hear() => { heard?; }
            }
        }
        let late = clock.woke(due);
        if let Some(recorder) = &self.recorder {
            recorder.woke(late);
        }
        Ok(())
    }

    /// Reads the next frame from the client and returns it if it is a text message. Cancel-safe.
    async fn hear(&mut self) -> Result<Option<String>, Left> {
        loop {
            match self.decoder.pop() {
                Some(WebSocketEvent::Text(text)) => {
                    if let Some(recorder) = &self.recorder {
                        recorder.heard(&text);
                    }
                    return Ok(Some(text));
                }
                Some(WebSocketEvent::Ping(payload)) if !self.silent => {
                    self.due.extend(websocket::pong(&payload, None));
                    self.flush().await?;
                    return Ok(None);
                }
                Some(WebSocketEvent::Close(code, _)) => {
                    if !self.silent {
                        self.due.extend(websocket::close(code, "", None));
                        self.flush().await?;
                    }
                    return Err(Left);
                }
                Some(_) => return Ok(None),
                None if self.decoder.broken().is_some() => return Err(Left),
                None => {
                    let mut bytes = Vec::with_capacity(4096);
                    if self.socket.read_buf(&mut bytes).await? == 0 {
                        return Err(Left);
                    }
                    self.decoder.feed(&bytes);
                }
            }
        }
    }

    /// Sends the bytes that are due. Cancel-safe: sent bytes are removed at once.
    async fn flush(&mut self) -> io::Result<()> {
        while !self.due.is_empty() {
            let written = self.socket.write(&self.due).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.due.drain(..written);
            self.written += written as u64;
        }
        self.socket.flush().await
    }
}

fn is_of(text: &str, kind: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|event| event["type"] == kind)
}
