//! Streams that start before the upstream has answered: keep-alive pings, and then the result of the call.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, future::BoxFuture, stream};
use tokio::time::timeout;

use super::{
    dialect::{DialectError, ErrorForm},
    extension::Extension,
    headers,
    reply::{BodyPieces, ProxyReply, ReplyBody},
    upstream_request::CallerRequest,
};
use crate::{dialect::carrier, proxy::ProxyRoute, scenario::Api, wire::frames::Carrier};

/// A comment, which every SSE parser ignores, whatever the dialect.
const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// The interval of the pings; `None` if the route has no keep-alive or the response is not an event stream.
pub(super) fn interval(route: &ProxyRoute, call: &CallerRequest) -> Option<Duration> {
    let is_framed = call.is_framed() && carrier(call.api) == Carrier::Sse;
    route.settings.keep_alive.filter(|interval| is_framed && !interval.is_zero())
}

/// Answers a request: as usual if the result of `call` is there within the interval, otherwise with a stream that
/// starts with pings.
pub(super) async fn answer(
    extension: Arc<dyn Extension>,
    api: Api,
    mut call: BoxFuture<'static, ProxyReply>,
    interval: Duration,
) -> ProxyReply {
    if let Ok(reply) = timeout(interval, &mut call).await {
        return reply;
    }
    let pinged = PingedStream { extension, api, interval, state: State::Starting(call) };
    let mut reply = ProxyReply::whole(200, carrier(api).content_type(), Bytes::new());
    reply.headers.push(("cache-control".into(), "no-cache".into()));
    let pieces = stream::unfold(pinged, async |mut pinged| Some((pinged.next().await?, pinged)));
    reply.body = ReplyBody::Stream(pieces.boxed());
    reply
}

/// A stream that starts before the result of the call is known.
struct PingedStream {
    extension: Arc<dyn Extension>,
    api: Api,
    interval: Duration,
    state: State,
}

enum State {
    /// Before the first ping.
    Starting(BoxFuture<'static, ProxyReply>),
    Waiting(BoxFuture<'static, ProxyReply>),
    Relaying(BodyPieces),
    Over,
}

impl PingedStream {
    /// Returns the next bytes for the caller; `None` at the end.
    async fn next(&mut self) -> Option<io::Result<Bytes>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Over => None,
            State::Relaying(mut pieces) => {
                let next = pieces.next().await;
                self.state = State::Relaying(pieces);
                next
            }
            State::Starting(call) => {
                self.state = State::Waiting(call);
                Some(Ok(PING))
            }
            State::Waiting(mut call) => match timeout(self.interval, &mut call).await {
                Err(_) => {
                    self.state = State::Waiting(call);
                    Some(Ok(PING))
                }
                Ok(reply) => self.continued(reply).await,
            },
        }
    }

    /// Continues with the result of the call, and returns its first bytes.
    async fn continued(&mut self, reply: ProxyReply) -> Option<io::Result<Bytes>> {
        match reply.body {
            ReplyBody::Stream(mut pieces) => {
                let first = pieces.next().await;
                self.state = State::Relaying(pieces);
                first
            }
            // The status line has been sent, so the error response becomes the last event.
            ReplyBody::Whole(body) => self.failed(reply.status, &reply.headers, body).map(Ok),
            ReplyBody::Session(_) | ReplyBody::Nothing => None,
        }
    }

    /// The last event for a failed call.
    fn failed(&self, status: u16, head: &[(String, String)], body: Bytes) -> Option<Bytes> {
        if headers::value(head, "content-type").and_then(Carrier::of).is_some() {
            return Some(body);
        }
        let error = DialectError::of_body(ErrorForm::of(self.api), &body, status);
        self.extension.pinged_failure(self.api, error, status)
    }
}
