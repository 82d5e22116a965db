//! Performs a reply on an HTTP/2 stream. The library h2 writes its frames.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{Reason, SendStream, server::SendResponse};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::{
    attempt_recorder::AttemptRecorder,
    performer::{ClientLeft, ReplySink},
};
use crate::{
    fault::{Framing, Head, Plan, WireAction},
    observation::AttemptEnd,
};

/// Connection-specific header fields, which HTTP/2 forbids (RFC 9113 section 8.2.2).
pub(super) const OF_CONNECTIONS: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The handle that sends the response to the client.
pub(super) enum ResponseWriter {
    /// Before the head.
    Head(SendResponse<Bytes>),
    /// After the head.
    Body(SendStream<Bytes>),
}

/// How a stream ended, and what that means for its connection. Dropping a [`ResponseWriter`] sends
/// RST_STREAM, so it is kept here until the connection is cut.
pub(super) enum StreamClose {
    /// Normally, or because the client has left it.
    Over,
    /// Normally, and the connection accepts no other request.
    Last,
    /// Normally, and the response to the next request on the connection is a FIN.
    RefuseNext,
    /// With RST_STREAM.
    Reset(ResponseWriter, Reason, AttemptRecorder),
    /// With its connection, by GOAWAY.
    GoAway(ResponseWriter, Reason, AttemptRecorder),
    /// With its connection, by a FIN or a RST.
    Cut(ResponseWriter, ConnectionCut, AttemptRecorder),
}

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionCut {
    /// With a FIN.
    Close,
    /// With a FIN, without `close_notify` before it.
    CloseUnannounced,
    /// With a RST.
    Reset,
}

pub(super) struct Http2Sink {
    out: ResponseWriter,
    /// Whether the connection accepts no other request.
    last: bool,
}

impl ResponseWriter {
    /// Resolves when the client has cancelled the stream.
    async fn left(&mut self) {
        let _ = poll_fn(|cx| match self {
            Self::Head(out) => out.poll_reset(cx),
            Self::Body(out) => out.poll_reset(cx),
        })
        .await;
    }

    pub(super) fn send_reset(&mut self, reason: Reason) {
        match self {
            Self::Head(out) => out.send_reset(reason),
            Self::Body(out) => out.send_reset(reason),
        }
    }
}

/// Changes the head of a plan as HTTP/2 requires: frames mark the end of a body, and a length is an ordinary
/// header.
pub(super) fn adapt_head(plan: &mut Plan) {
    for action in &mut plan.actions {
        let WireAction::Head(head) = action else { continue };
        head.headers.retain(|(name, _)| !OF_CONNECTIONS.contains(&&**name));
        if let Framing::Length(length) = head.framing {
            head.headers.push(("content-length".into(), length.to_string().into()));
        }
        head.framing = Framing::None;
    }
}

/// Sends bytes as the client's window allows.
pub(super) async fn send(
    stream: &mut SendStream<Bytes>,
    mut bytes: Bytes,
    end: bool,
) -> Result<(), ClientLeft> {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return Err(ClientLeft) };
        let now = bytes.split_to(room.min(bytes.len()));
        let last = end && bytes.is_empty();
        stream.send_data(now, last).map_err(|_| ClientLeft)?;
        if last {
            return Ok(());
        }
    }
    if end { stream.send_data(Bytes::new(), true).map_err(|_| ClientLeft) } else { Ok(()) }
}

impl Http2Sink {
    pub(super) fn new(out: SendResponse<Bytes>, last: bool) -> Self {
        Self { out: ResponseWriter::Head(out), last }
    }

    /// Ends the stream with its last frame.
    fn finish(self, recorder: AttemptRecorder) -> Result<(), ClientLeft> {
        let ResponseWriter::Body(mut stream) = self.out else { return Err(ClientLeft) };
        // Write the ledger first: the connection sends the frame later.
        recorder.end(AttemptEnd::Finished);
        stream.send_data(Bytes::new(), true).map_err(|_| ClientLeft)
    }
}

impl ReplySink for Http2Sink {
    type Rest = StreamClose;

    async fn head(&mut self, head: &Head) -> Result<(), ClientLeft> {
        let ResponseWriter::Head(out) = &mut self.out else { return Ok(()) };
        let mut response = Response::new(());
        *response.status_mut() =
            StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = header_map(head);
        self.out = ResponseWriter::Body(out.send_response(response, false).map_err(|_| ClientLeft)?);
        Ok(())
    }

    async fn write(&mut self, bytes: Bytes, _: bool) -> Result<(), ClientLeft> {
        let ResponseWriter::Body(stream) = &mut self.out else { return Ok(()) };
        send(stream, bytes, false).await
    }

    /// The connection sends everything before it polls a stream that waits.
    async fn flush(&mut self) -> Result<(), ClientLeft> {
        Ok(())
    }

    async fn packet(&mut self) -> Result<(), ClientLeft> {
        tokio::task::yield_now().await;
        Ok(())
    }

    async fn hear(&mut self, _: &str, _: &AttemptRecorder) -> Result<(), ClientLeft> {
        Ok(())
    }

    async fn left(&mut self, _: &AttemptRecorder) {
        self.out.left().await;
    }

    /// The task that owns the connection performs the endings that concern it.
    async fn end(self, ending: WireAction, recorder: AttemptRecorder) -> Result<StreamClose, ClientLeft> {
        let last = self.last;
        Ok(match ending {
            WireAction::Finish | WireAction::Overrun(_) => {
                self.finish(recorder)?;
                if last { StreamClose::Last } else { StreamClose::Over }
            }
            WireAction::CloseWhenReused => {
                self.finish(recorder)?;
                StreamClose::RefuseNext
            }
            WireAction::RstStream(code) => StreamClose::Reset(self.out, code.number().into(), recorder),
            WireAction::Goaway(code) => StreamClose::GoAway(self.out, code.number().into(), recorder),
            WireAction::Reset => StreamClose::Cut(self.out, ConnectionCut::Reset, recorder),
            WireAction::CloseUnannounced => {
                StreamClose::Cut(self.out, ConnectionCut::CloseUnannounced, recorder)
            }
            _ => StreamClose::Cut(self.out, ConnectionCut::Close, recorder),
        })
    }
}

fn header_map(head: &Head) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for (name, value) in &head.headers {
        // Leave out invalid headers. Loading the scenario has already reported them.
        if let (Some(name), Ok(value)) =
            (name.http(), HeaderValue::from_maybe_shared(value.as_bytes().clone()))
        {
            headers.append(name.clone(), value);
        }
    }
    headers
}
