//! Performs a reply as a WebSocket session: waits for the messages of the client, and answers pings and close
//! frames.

use std::io;

use bytes::Bytes;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use super::{
    attempt_recorder::AttemptRecorder,
    http1_connection::Http1Connection,
    http1_sink::BETWEEN_PACKETS,
    http1_writer::write_head,
    performer::{ClientLeft, ReplySink},
    request_head::ReplyForm,
    socket::{CLOSE_TIMEOUT, Socket},
};
use crate::{
    fault::{Framing, Head, Plan, WireAction},
    observation::{AttemptEnd, ReceivedClose},
    wire::websocket::{self, WebSocketDecoder, WebSocketEvent},
};

pub(super) struct SessionSink {
    socket: Socket,
    /// Bytes to send.
    due: Vec<u8>,
    written: u64,
    form: ReplyForm,
    decoder: WebSocketDecoder,
    /// Whether even pings get no response.
    silent: bool,
}

/// If a plan opens a WebSocket, adds the confirmation of the client's `Sec-WebSocket-Key` to its head.
pub(super) fn open_session(plan: &mut Plan, key: &str) -> bool {
    let heads = plan.actions.iter_mut().filter_map(|action| match action {
        WireAction::Head(head) if head.framing == Framing::WebSocket => Some(head),
        _ => None,
    });
    let mut opened = false;
    for head in heads {
        head.headers.push(("sec-websocket-accept".into(), websocket::accept(key).into()));
        opened = true;
    }
    opened
}

impl SessionSink {
    pub(super) fn new(connection: Http1Connection, form: ReplyForm) -> Self {
        let Http1Connection { socket, received, due, written, .. } = connection;
        let mut decoder = WebSocketDecoder::default();
        decoder.feed(&received);
        Self { socket, due, written, form, decoder, silent: false }
    }

    /// Reads the next frame from the client and returns it if it is a text message. Cancel-safe.
    async fn next(&mut self, recorder: Option<&AttemptRecorder>) -> Result<Option<String>, ClientLeft> {
        loop {
            match self.decoder.pop() {
                Some(WebSocketEvent::Text(text)) => {
                    if let Some(recorder) = recorder {
                        recorder.heard(&text);
                    }
                    return Ok(Some(text));
                }
                Some(WebSocketEvent::Ping(payload)) if !self.silent => {
                    self.due.extend(websocket::pong(&payload, None));
                    self.send().await?;
                    return Ok(None);
                }
                Some(WebSocketEvent::Close(code, _)) => {
                    if !self.silent {
                        self.due.extend(websocket::close(code, "", None));
                        self.send().await?;
                    }
                    return Err(ClientLeft);
                }
                Some(_) => return Ok(None),
                None if self.decoder.broken().is_some() => return Err(ClientLeft),
                None => {
                    let mut bytes = Vec::with_capacity(4096);
                    if self.socket.read_buf(&mut bytes).await? == 0 {
                        return Err(ClientLeft);
                    }
                    self.decoder.feed(&bytes);
                }
            }
        }
    }

    /// Reads frames until the session ends.
    async fn all(&mut self, recorder: Option<&AttemptRecorder>) {
        while self.next(recorder).await.is_ok() {}
    }

    /// Sends the bytes that are due. Cancel-safe: sent bytes are removed at once.
    async fn send(&mut self) -> io::Result<()> {
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

impl ReplySink for SessionSink {
    /// The connection is not reused.
    type Rest = ();

    async fn head(&mut self, head: &Head) -> Result<(), ClientLeft> {
        write_head(head, self.form, &mut self.due);
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes, _: bool) -> Result<(), ClientLeft> {
        self.due.extend_from_slice(&bytes);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ClientLeft> {
        Ok(self.send().await?)
    }

    async fn packet(&mut self) -> Result<(), ClientLeft> {
        self.flush().await?;
        sleep(BETWEEN_PACKETS).await;
        Ok(())
    }

    async fn hear(&mut self, kind: &str, recorder: &AttemptRecorder) -> Result<(), ClientLeft> {
        while !self.next(Some(recorder)).await?.is_some_and(|text| is_of(&text, kind)) {}
        Ok(())
    }

    async fn left(&mut self, recorder: &AttemptRecorder) {
        self.all(Some(recorder)).await;
    }

    fn fall_silent(&mut self) {
        self.silent = true;
    }

    async fn end(mut self, ending: WireAction, recorder: AttemptRecorder) -> Result<(), ClientLeft> {
        self.flush().await?;
        // Write the ledger first, so that an observer who sees the end finds it there.
        match ending {
            WireAction::CloseFrame { code, reason } => {
                self.due.extend(websocket::close(code, &reason, None));
                recorder.closed(ReceivedClose { code, reason, answered: false });
                recorder.end(if code == Some(1000) { AttemptEnd::Finished } else { AttemptEnd::Closed });
                self.flush().await?;
                // The side that sends the first close frame waits for the other (RFC 6455 section 7.1.1).
                let _ = timeout(CLOSE_TIMEOUT, self.all(None)).await;
                self.socket.linger().await;
            }
            WireAction::Reset | WireAction::RstStream(_) => {
                recorder.end(AttemptEnd::Reset);
                self.socket.reset(self.written).await;
            }
            // A finished session stays open until the client closes it.
            WireAction::Finish | WireAction::Overrun(_) | WireAction::CloseWhenReused => {
                recorder.end(AttemptEnd::Finished);
                self.all(None).await;
                self.flush().await?;
                self.socket.linger().await;
            }
            _ => {
                recorder.end(AttemptEnd::Closed);
                self.socket.linger().await;
            }
        }
        Ok(())
    }
}

fn is_of(text: &str, kind: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|event| event["type"] == kind)
}
