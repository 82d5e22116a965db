//! Relays a session over a WebSocket, message by message, between a caller and an upstream.

use std::{pin::pin, sync::Arc};

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tungstenite::{
    Message, Utf8Bytes,
    protocol::{CloseFrame, Role, frame::coding::CloseCode},
};

use super::{Defect, chain::ProxyShared, handler::ProxyReply, secrets::Secrets, tamper_session};

/// How long a goodbye may take.
const GOODBYE: std::time::Duration = std::time::Duration::from_millis(500);

/// An upstream's end of a session.
#[derive(Debug)]
pub(super) enum SessionSource {
    /// It is open.
    Upstream(Box<reqwest::Upgraded>),
    /// There is none (only ever done by a defect): nothing, or this and an end, is told.
    Nobody(Option<CloseFrame>),
}

/// What a request for a session was asked with.
pub(super) fn key<T>(request: &http::Request<T>) -> Option<String> {
    let key = request.headers().get(http::header::SEC_WEBSOCKET_KEY)?;
    Some(key.to_str().ok()?.trim().to_owned())
}

/// The headers of a switch to a session.
pub(super) fn switching(reply: &mut ProxyReply, key: &str) {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let headers = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", &accept)];
    reply.headers.extend(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

/// Relays until either side ends it.
pub(super) async fn relay(shared: Arc<ProxyShared>, caller: OnUpgrade, source: SessionSource) {
    let Ok(caller) = caller.await else { return };
    let caller = WebSocketStream::from_raw_socket(TokioIo::new(caller), Role::Server, None).await;
    let mut relay = Relay { caller, secrets: shared.secrets.clone(), defect: shared.defect };
    match source {
        SessionSource::Upstream(upstream) => {
            let upstream = WebSocketStream::from_raw_socket(*upstream, Role::Client, None).await;
            relay.run(upstream).await;
        }
        SessionSource::Nobody(None) => relay.stay_silent().await,
        SessionSource::Nobody(Some(frame)) => relay.close(frame).await,
    }
}

type Caller = WebSocketStream<TokioIo<Upgraded>>;

struct Relay {
    caller: Caller,
    secrets: Arc<Secrets>,
    defect: Option<Defect>,
}

impl Relay {
    async fn run(&mut self, upstream: WebSocketStream<reqwest::Upgraded>) {
        let (mut to_upstream, mut from_upstream) = upstream.split();
        let end = loop {
            tokio::select! {
                said = from_upstream.next() => match said {
                    Some(Ok(Message::Close(frame))) => break End::Frame(frame),
                    Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                        let Some(message) = self.seen(message) else { continue };
                        if tamper_session::closes_instead(self.defect, &message) {
                            break End::Frame(Some(frame(CloseCode::Normal, "")));
                        }
                        if self.caller.send(message).await.is_err() {
                            return;
                        }
                    }
                    // The library answers them itself.
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break End::Cut,
                },
                said = self.caller.next() => match said {
                    Some(Ok(Message::Close(frame))) => {
                        let goodbye = async {
                            let _ = to_upstream.send(Message::Close(frame)).await;
                            while let Some(Ok(_)) = from_upstream.next().await {}
                        };
                        let _ = timeout(GOODBYE, goodbye).await;
                        // The answer to the caller is queued: it goes out with the flush.
                        let _ = timeout(GOODBYE, self.caller.flush()).await;
                        return;
                    }
                    Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                        if to_upstream.send(message).await.is_err() {
                            // What it said before it went is still to be read.
                            continue;
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                },
            }
        };
        self.end(end).await;
    }

    /// A message of the upstream as the caller gets it; `None` where a defect holds it back.
    fn seen(&self, message: Message) -> Option<Message> {
        let Message::Text(text) = message else { return Some(message) };
        let text = self.secrets.redacted(text.as_str()).into_owned();
        tamper_session::event(self.defect, text).map(Message::text)
    }

    /// Tells the caller how the upstream's session ended.
    async fn end(&mut self, end: End) {
        let told = match end {
            End::Frame(Some(frame)) => CloseFrame {
                reason: Utf8Bytes::from(self.secrets.redacted(frame.reason.as_str()).into_owned()),
                ..frame
            },
            End::Frame(None) => frame(CloseCode::Error, "The upstream closed the session without a code."),
            End::Cut => frame(CloseCode::Error, "The upstream's connection was lost."),
        };
        match tamper_session::end(self.defect, told) {
            tamper_session::SessionEnd::Close { before, frame } => {
                if let Some(event) = before {
                    let _ = self.caller.send(Message::text(event.to_string())).await;
                }
                self.close(frame).await;
            }
            // Dropping the connection is all that a cut needs.
            tamper_session::SessionEnd::Cut => {}
            tamper_session::SessionEnd::Silence => self.stay_silent().await,
        }
    }

    async fn close(&mut self, frame: CloseFrame) {
        let goodbye = async {
            let _ = self.caller.close(Some(frame)).await;
            while let Some(Ok(_)) = self.caller.next().await {}
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }

    /// Reads and says nothing, until the caller goes (only ever done by a defect).
    async fn stay_silent(&mut self) {
        let mut caller = pin!(&mut self.caller);
        while let Some(Ok(_)) = caller.next().await {}
    }
}

/// How an upstream's session ended.
enum End {
    Frame(Option<CloseFrame>),
    Cut,
}

/// A close frame of the proxy's own.
pub(super) fn frame(code: CloseCode, reason: &str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from(reason) }
}

/// An answer that never was (only ever sent by a defect).
pub(super) fn forged() -> Value {
    json!({"type": "response.done", "response": {"object": "realtime.response", "status": "completed"}})
}
