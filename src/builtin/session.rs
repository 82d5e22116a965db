//! Relays a WebSocket session, message by message, between a caller and an upstream.

use std::sync::Arc;

use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tungstenite::{
    Message, Utf8Bytes,
    protocol::{CloseFrame, Role, frame::coding::CloseCode},
};

use super::{
    extension::SessionEnd,
    reply::{ProxyReply, SessionSource, close_frame},
    shared::ProxyShared,
};

/// The timeout of a closing handshake.
const CLOSE_TIMEOUT: std::time::Duration = std::time::Duration::from_millis(500);

/// The `Sec-WebSocket-Key` of a request.
pub(super) fn key<T>(request: &http::Request<T>) -> Option<String> {
    let key = request.headers().get(http::header::SEC_WEBSOCKET_KEY)?;
    Some(key.to_str().ok()?.trim().to_owned())
}

/// Adds the headers of a 101 that switches to a WebSocket.
pub(super) fn switching(reply: &mut ProxyReply, key: &str) {
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let headers = [("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", &accept)];
    reply.headers.extend(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

/// Relays a session until either side ends it.
pub(super) async fn relay(shared: Arc<ProxyShared>, caller: OnUpgrade, source: SessionSource) {
    let Ok(caller) = caller.await else { return };
    let caller = WebSocketStream::from_raw_socket(TokioIo::new(caller), Role::Server, None).await;
    let mut relay = Relay { caller, shared };
    match source {
        SessionSource::Upstream(upstream) => {
            let upstream = WebSocketStream::from_raw_socket(*upstream, Role::Client, None).await;
            relay.run(upstream).await;
        }
        SessionSource::Absent(None) => relay.stay_silent().await,
        SessionSource::Absent(Some(frame)) => relay.close(frame).await,
    }
}

type Caller = WebSocketStream<TokioIo<Upgraded>>;

struct Relay {
    caller: Caller,
    shared: Arc<ProxyShared>,
}

impl Relay {
    async fn run(&mut self, upstream: WebSocketStream<reqwest::Upgraded>) {
        let (mut to_upstream, mut from_upstream) = upstream.split();
        let end = loop {
            tokio::select! {
                said = from_upstream.next() => match said {
                    Some(Ok(Message::Close(frame))) => break UpstreamEnd::Frame(frame),
                    Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                        let Some(message) = self.for_caller(message) else { continue };
                        if self.shared.extension.closes_instead(&message) {
                            break UpstreamEnd::Frame(Some(close_frame(CloseCode::Normal, "")));
                        }
                        if self.caller.send(message).await.is_err() {
                            return;
                        }
                    }
                    // Pings: the library answers them itself.
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break UpstreamEnd::Cut,
                },
                said = self.caller.next() => match said {
                    Some(Ok(Message::Close(frame))) => {
                        let closing = async {
                            let _ = to_upstream.send(Message::Close(frame)).await;
                            while let Some(Ok(_)) = from_upstream.next().await {}
                        };
                        let _ = timeout(CLOSE_TIMEOUT, closing).await;
                        // The close frame for the caller is queued: the flush sends it.
                        let _ = timeout(CLOSE_TIMEOUT, self.caller.flush()).await;
                        return;
                    }
                    Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                        if to_upstream.send(message).await.is_err() {
                            // The upstream is gone, but messages that it sent before are still to be read.
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

    /// The message for the caller: without secrets, and as the extension changes it. `None` if the extension drops it.
    fn for_caller(&self, message: Message) -> Option<Message> {
        let Message::Text(text) = message else { return Some(message) };
        let text = self.shared.secrets.redacted(text.as_str()).into_owned();
        self.shared.extension.session_event(text).map(Message::text)
    }

    /// Ends the session with the caller as the extension decides: by default with the close frame of the upstream, or with an
    /// error frame if the upstream sent none.
    async fn end(&mut self, end: UpstreamEnd) {
        let frame = match end {
            UpstreamEnd::Frame(Some(frame)) => CloseFrame {
                reason: Utf8Bytes::from(self.shared.secrets.redacted(frame.reason.as_str()).into_owned()),
                ..frame
            },
            UpstreamEnd::Frame(None) => {
                close_frame(CloseCode::Error, "The upstream closed the session without a code.")
            }
            UpstreamEnd::Cut => close_frame(CloseCode::Error, "The upstream's connection was lost."),
        };
        match self.shared.extension.session_end(frame) {
            SessionEnd::Close { before, frame } => {
                if let Some(event) = before {
                    let _ = self.caller.send(Message::text(event.to_string())).await;
                }
                self.close(frame).await;
            }
            // A cut only needs the connection to be dropped.
            SessionEnd::Cut => {}
            SessionEnd::Silence => self.stay_silent().await,
        }
    }

    async fn close(&mut self, frame: CloseFrame) {
        let closing = async {
            let _ = self.caller.close(Some(frame)).await;
            while let Some(Ok(_)) = self.caller.next().await {}
        };
        let _ = timeout(CLOSE_TIMEOUT, closing).await;
    }

    /// Sends no more messages, and reads until the caller leaves. The library still answers pings and a close frame.
    async fn stay_silent(&mut self) {
        while let Some(Ok(_)) = self.caller.next().await {}
    }
}

/// How an upstream's session ended.
enum UpstreamEnd {
    Frame(Option<CloseFrame>),
    Cut,
}
