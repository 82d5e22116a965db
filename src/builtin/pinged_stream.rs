//! Streams that start before the upstream has answered: keep-alive pings, and then the result of the call.

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

use super::{
    Defect,
    chain::ProxyShared,
    dialect::{self, DialectError, ErrorForm},
    handler::{self, ProxyReply, ReplyBody},
    headers,
    relay::StreamRelay,
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

/// Answers a request: as usual if the result is there within the interval, otherwise with a stream that
/// starts with pings.
pub(super) async fn answer(
    shared: Arc<ProxyShared>,
    route: &ProxyRoute,
    call: CallerRequest,
    interval: Duration,
) -> ProxyReply {
    let (api, defect) = (call.api, shared.defect);
    let route = route.clone();
    let mut work: Work = Box::pin(async move { handler::answered(&shared, &route, call).await });
    if let Ok(reply) = timeout(interval, &mut work).await {
        return reply;
    }
    let pinged = PingedStream { api, defect, interval, pinged: false, state: State::Waiting(work) };
    let mut reply = ProxyReply::whole(200, carrier(api).content_type(), Bytes::new());
    reply.headers.push(("cache-control".into(), "no-cache".into()));
    reply.body = ReplyBody::Pinged(Box::new(pinged));
    reply
}

type Work = Pin<Box<dyn Future<Output = ProxyReply> + Send>>;

/// A stream that starts before the result of the call is known.
pub(super) struct PingedStream {
    api: Api,
    defect: Option<Defect>,
    interval: Duration,
    pinged: bool,
    state: State,
}

enum State {
    Waiting(Work),
    Relaying(Box<StreamRelay>),
    Over,
}

impl fmt::Debug for PingedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PingedStream").field("api", &self.api).finish_non_exhaustive()
    }
}

impl PingedStream {
    /// Returns the next bytes for the caller; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        match &mut self.state {
            State::Over => None,
            State::Relaying(relay) => relay.next().await,
            State::Waiting(_) if !std::mem::replace(&mut self.pinged, true) => Some(PING),
            State::Waiting(work) => match timeout(self.interval, work).await {
                Err(_) => Some(PING),
                Ok(reply) => self.continued(reply).await,
            },
        }
    }

    /// Continues with the result of the call, and returns its first bytes.
    async fn continued(&mut self, reply: ProxyReply) -> Option<Bytes> {
        self.state = State::Over;
        match reply.body {
            ReplyBody::Stream(mut relay) => {
                let first = relay.next().await;
                self.state = State::Relaying(relay);
                first
            }
            // The status line has been sent, so the error response becomes the last event.
            ReplyBody::Whole(body) => self.failed(reply.status, &reply.headers, body),
            _ => None,
        }
    }

    /// The last event for a failed call.
    fn failed(&self, status: u16, head: &[(String, String)], body: Bytes) -> Option<Bytes> {
        if headers::value(head, "content-type").and_then(Carrier::of).is_some() {
            return Some(body);
        }
        match self.defect {
            Some(Defect::PingedFailureFinished) => {
                return Some([dialect::finish(self.api), dialect::closing(self.api)].concat().into());
            }
            Some(Defect::PingedFailureCut) => return None,
            _ => {}
        }
        let mut error = DialectError::of_body(ErrorForm::of(self.api), &body, status);
        let mut status = status;
        if self.defect == Some(Defect::PingedCodeLost) {
            status = 500;
            error.error.insert("type".into(), "api_error".into());
            error.error.shift_remove("details");
            if let Some(code) = error.error.get_mut("code") {
                *code = serde_json::Value::Null;
            }
        }
        Some(dialect::error_frame(self.api, error, status, 0))
    }
}
