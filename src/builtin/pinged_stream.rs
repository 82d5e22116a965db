//! Streams that begin before the upstream has answered: pings, and then what comes of the call.

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
    upstream_request::Ask,
};
use crate::{provider, proxy::ProxyRoute, scenario::Api, wire::frames::Carrier};

/// A comment, which every reader of events passes over, whatever dialect it speaks.
const PING: Bytes = Bytes::from_static(b": ping\n\n");

/// How long the caller of this route may wait in silence, where pings are wanted and can be sent.
pub(super) fn interval(route: &ProxyRoute, ask: &Ask) -> Option<Duration> {
    let seconds =
        route.keep_alive_s.filter(|_| ask.is_framed() && provider::carrier(ask.api) == Carrier::Sse)?;
    Duration::try_from_secs_f64(seconds).ok().filter(|interval| !interval.is_zero())
}

/// Answers a request: within the interval as always, after it by a stream that begins with pings.
pub(super) async fn answer(
    shared: Arc<ProxyShared>,
    route: &ProxyRoute,
    ask: Ask,
    interval: Duration,
) -> ProxyReply {
    let (api, defect) = (ask.api, shared.defect);
    let route = route.clone();
    let mut work: Work = Box::pin(async move { handler::answered(&shared, &route, ask).await });
    if let Ok(reply) = timeout(interval, &mut work).await {
        return reply;
    }
    let early = PingedStream { api, defect, interval, pinged: false, state: State::Waiting(work) };
    let mut reply = ProxyReply::whole(200, provider::carrier(api).content_type(), Bytes::new());
    reply.headers.push(("cache-control".into(), "no-cache".into()));
    reply.body = ReplyBody::Early(Box::new(early));
    reply
}

type Work = Pin<Box<dyn Future<Output = ProxyReply> + Send>>;

/// A stream that was begun before anybody knew how the call would end.
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
        f.debug_struct("Early").field("api", &self.api).finish_non_exhaustive()
    }
}

impl PingedStream {
    /// The next bytes for the caller; `None` at the end.
    pub async fn next(&mut self) -> Option<Bytes> {
        match &mut self.state {
            State::Over => None,
            State::Relaying(relay) => relay.next().await,
            State::Waiting(_) if !std::mem::replace(&mut self.pinged, true) => Some(PING),
            State::Waiting(work) => match timeout(self.interval, work).await {
                Err(_) => Some(PING),
                Ok(reply) => self.comes(reply).await,
            },
        }
    }

    /// The call is decided.
    async fn comes(&mut self, reply: ProxyReply) -> Option<Bytes> {
        self.state = State::Over;
        match reply.body {
            ReplyBody::Stream(mut relay) => {
                let first = relay.next().await;
                self.state = State::Relaying(relay);
                first
            }
            // The status line is out: what would have been the answer becomes its last event.
            ReplyBody::Whole(body) => self.failed(reply.status, &reply.headers, body),
            _ => None,
        }
    }

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
        let mut told = DialectError::of_body(ErrorForm::of(self.api), &body, status);
        let mut status = status;
        if self.defect == Some(Defect::PingedCodeLost) {
            status = 500;
            told.error.insert("type".into(), "api_error".into());
            told.error.shift_remove("details");
            if let Some(code) = told.error.get_mut("code") {
                *code = serde_json::Value::Null;
            }
        }
        Some(dialect::error_frame(self.api, told, status, 0))
    }
}
