//! Serves one stream of an HTTP/2 connection: reads a request and performs the plan of its reply.

use std::{future::poll_fn, sync::Arc};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use http::{Request, Response, StatusCode};
use tokio::time::{Instant, sleep_until};

use super::{
    answer::{PendingRequest, enter, no_mock},
    connection_turn::ConnectionTurn,
    delay_clock::DelayClock,
    http2::StreamClose,
    ledger::AttemptRecorder,
    perform::header_map,
    server::ServerState,
    takeover::ConnectionCut,
};
use crate::{
    fault::{Framing, Head, Plan, WireAction},
    observation::AttemptEnd,
    provider::MAX_REQUEST_BYTES,
};

/// Connection-specific header fields, which HTTP/2 forbids (RFC 9113 section 8.2.2).
const OF_CONNECTIONS: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The handle that sends the response to the client.
pub(super) enum ResponseWriter {
    /// Before the head.
    Head(SendResponse<Bytes>),
    /// After the head.
    Body(SendStream<Bytes>),
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

/// Answers one request.
pub(super) async fn answer(
    request: Request<RecvStream>,
    out: SendResponse<Bytes>,
    shared: Arc<ServerState>,
    visit: Option<Arc<ConnectionTurn>>,
) -> StreamClose {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    let Ok(body) = read(body).await else { return StreamClose::Over };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let Some((case, deployment, rest)) = shared.find(path) else {
        let response = match shared.fallback.get().cloned() {
            Some(fallback) => fallback(Request::from_parts(parts, body)).await,
            None => no_mock(parts.method.as_str(), path),
        };
        say(out, response).await;
        return StreamClose::Over;
    };
    let claim = visit.and_then(|visit| visit.take(&case, deployment));
    let asking = PendingRequest { parts: &parts, path: rest, body: body.as_deref(), arrived };
    let (plan, recorder) = enter(&case, deployment, &asking, claim, shared.address);
    let performance = Performance {
        out: ResponseWriter::Head(out),
        recorder,
        clock: DelayClock::default(),
        last: case.deployments[deployment].one_request_each,
    };
    performance.perform(plan).await.unwrap_or(StreamClose::Over)
}

/// Reads the whole body. Returns `None` if it is larger than the provider accepts.
async fn read(mut body: RecvStream) -> Result<Option<Bytes>, h2::Error> {
    let mut all = Vec::new();
    let mut length = 0_usize;
    while let Some(data) = body.data().await {
        let data = data?;
        length = length.saturating_add(data.len());
        // Open the window even if the bytes are not kept.
        body.flow_control().release_capacity(data.len())?;
        if length <= MAX_REQUEST_BYTES {
            all.extend_from_slice(&data);
        } else {
            all = Vec::new();
        }
    }
    Ok((length <= MAX_REQUEST_BYTES).then(|| all.into()))
}

/// Sends a response that does not come from a deployment.
async fn say(mut out: SendResponse<Bytes>, response: Response<Bytes>) {
    let (mut parts, body) = response.into_parts();
    for name in OF_CONNECTIONS {
        parts.headers.remove(name);
    }
    if let Ok(mut stream) = out.send_response(Response::from_parts(parts, ()), false) {
        send(&mut stream, body, true).await;
    }
}

/// Sends bytes as the client's window allows. Returns whether all were sent.
async fn send(stream: &mut SendStream<Bytes>, mut bytes: Bytes, end: bool) -> bool {
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        let Some(Ok(room)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return false };
        let now = bytes.split_to(room.min(bytes.len()));
        let last = end && bytes.is_empty();
        if stream.send_data(now, last).is_err() {
            return false;
        }
        if last {
            return true;
        }
    }
    !end || stream.send_data(Bytes::new(), true).is_ok()
}

/// A plan in progress.
struct Performance {
    out: ResponseWriter,
    recorder: AttemptRecorder,
    clock: DelayClock,
    /// Whether the connection accepts no other request.
    last: bool,
}

impl Performance {
    /// Performs the plan. Returns `None` if the client has left, which the drop of the recorder records.
    async fn perform(mut self, plan: Plan) -> Option<StreamClose> {
        let mut actions = plan.actions.into_iter();
        let ending = loop {
            match actions.next()? {
                WireAction::Head(head) => self.head(head)?,
                WireAction::Write { bytes, completes_frame } => {
                    self.recorder.wrote(&bytes, completes_frame);
                    self.write(bytes).await?;
                }
                WireAction::Raw { bytes, breaks } => {
                    if breaks {
                        self.recorder.broke();
                    }
                    self.write(bytes).await?;
                }
                WireAction::Wait(time) => {
                    let due = self.clock.due(time);
                    tokio::select! {
                        () = sleep_until(due) => {}
                        () = self.out.left() => return None,
                    }
                    self.recorder.woke(self.clock.woke(due));
                }
                // The connection sends everything before it polls this future again.
                WireAction::Flush => tokio::task::yield_now().await,
                ending => break ending,
            }
        };
        self.end(ending).await
    }

    fn head(&mut self, mut head: Head) -> Option<()> {
        let ResponseWriter::Head(out) = &mut self.out else { return Some(()) };
        head.headers.retain(|(name, _)| !OF_CONNECTIONS.contains(&&**name));
        if let Framing::Length(length) = head.framing {
            head.headers.push(("content-length".into(), length.to_string().into()));
        }
        // In HTTP/2, frames mark the end of a body.
        head.framing = Framing::None;
        let mut response = Response::new(());
        *response.status_mut() =
            StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = header_map(&head);
        self.recorder.head(head, 0);
        self.out = ResponseWriter::Body(out.send_response(response, false).ok()?);
        Some(())
    }

    async fn write(&mut self, bytes: Bytes) -> Option<()> {
        let ResponseWriter::Body(stream) = &mut self.out else { return Some(()) };
        send(stream, bytes, false).await.then_some(())
    }

    async fn end(mut self, ending: WireAction) -> Option<StreamClose> {
        let last = self.last;
        Some(match ending {
            WireAction::Finish | WireAction::Overrun(_) => {
                self.finish()?;
                if last { StreamClose::Last } else { StreamClose::Over }
            }
            WireAction::CloseWhenReused => {
                self.finish()?;
                StreamClose::RefuseNext
            }
            WireAction::Hang => {
                self.out.left().await;
                return None;
            }
            WireAction::RstStream(code) => StreamClose::Reset(self.out, code.number().into(), self.recorder),
            WireAction::Goaway(code) => StreamClose::GoAway(self.out, code.number().into(), self.recorder),
            WireAction::Reset => StreamClose::Cut(self.out, ConnectionCut::Reset, self.recorder),
            WireAction::CloseUnannounced => StreamClose::Unannounced(self.out, self.recorder),
            _ => StreamClose::Cut(self.out, ConnectionCut::Close, self.recorder),
        })
    }

    fn finish(self) -> Option<()> {
        let ResponseWriter::Body(mut stream) = self.out else { return None };
        // Write the ledger first: the connection sends the frame later.
        self.recorder.end(AttemptEnd::Finished);
        stream.send_data(Bytes::new(), true).ok()
    }
}
