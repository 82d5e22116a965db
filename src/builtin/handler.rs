//! One request of a caller, from its bytes to a reply.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::mpsc;

use super::{
    attempt::Success,
    chain::{self, Failed, ProxyShared},
    classify::AWS_TYPE,
    dialect::{self, ErrorForm},
    failure::{CallFailure, Cause},
    headers, incoming,
    passed_body::{self, PassedBody},
    pinged_stream::{self, PingedStream},
    relay::StreamRelay,
    session::SessionSource,
    tamper, tamper_session,
    upstream_request::Ask,
};
use crate::{proxy::ProxyRoute, scenario::Api};

/// No request of a test is longer.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The path at which any caller, even without a key, learns that the proxy runs.
const HEALTH: &str = "/health";

/// What goes back to the caller.
#[derive(Debug)]
pub(super) struct ProxyReply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: ReplyBody,
}

/// A body, whole or as it comes.
#[derive(Debug)]
pub(super) enum ReplyBody {
    Whole(Bytes),
    Stream(Box<StreamRelay>),
    /// A stream that was begun before the upstream had answered.
    Early(Box<PingedStream>),
    /// A provider's own body, as it comes.
    Passed(Box<PassedBody>),
    /// What comes behind a 101.
    Session(SessionSource),
    /// A stream that goes on without its caller (only ever sent by a defect).
    Detached(mpsc::UnboundedReceiver<Bytes>),
}

impl ProxyReply {
    pub fn whole(status: u16, content_type: &str, body: Bytes) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), content_type.into())],
            body: ReplyBody::Whole(body),
        }
    }
}

/// Answers one request.
pub(super) async fn handle<B>(shared: Arc<ProxyShared>, request: http::Request<B>) -> ProxyReply
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if head.uri.path() == HEALTH {
        return ProxyReply::whole(200, "application/json", Bytes::from_static(b"{\"status\":\"ok\"}"));
    }
    let _turn = shared.between.turn().await;
    if let Some((route, rest)) = passed_body::address(&shared, head.uri.path()) {
        let told = |failure: CallFailure| written(&failure.into_family(ErrorForm::of(route.api)));
        if !incoming::has_key(&shared, &head) {
            return told(incoming::no_key());
        }
        return match collected(body).await {
            Ok(body) => passed_body::pass(&shared, route, rest, &head, body).await,
            Err(failure) => told(failure),
        };
    }
    let address = dialect::address(head.uri.path());
    let family = address.as_ref().map_or(ErrorForm::Openai, |address| ErrorForm::of(address.api));
    let told = |failure: CallFailure| {
        let (failure, family) = tamper::refusal(shared.defect, failure, family);
        written(&failure.into_family(family))
    };
    let address = match incoming::admit(&shared, &head, address) {
        Ok(address) => address,
        Err(failure) => return told(failure),
    };
    let body = match collected(body).await {
        Ok(body) => body,
        Err(failure) => return told(failure),
    };
    match incoming::read(&shared, &head, address, body) {
        Ok((route, ask)) => match pinged_stream::interval(route, &ask) {
            Some(interval) => pinged_stream::answer(shared.clone(), route, ask, interval).await,
            None => answered(&shared, route, ask).await,
        },
        Err(failure) => told(failure),
    }
}

/// All of a request's body.
async fn collected<B>(body: B) -> Result<Bytes, CallFailure>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match Limited::new(body, MAX_REQUEST).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(CallFailure::caller(413, "request_too_large", "The request body is too large."))
        }
        Err(_) => Err(CallFailure::caller(400, "bad_request", "The request body could not be read.")),
    }
}

/// What comes of a request, when it is known.
pub(super) async fn answered(shared: &Arc<ProxyShared>, route: &ProxyRoute, ask: Ask) -> ProxyReply {
    let family = ErrorForm::of(ask.api);
    let inside = shared.between.enter(route);
    let (outcome, answering) = match shared.between.refusal(route) {
        Some(refusal) => (Err(refusal), route),
        None => match chain::run(shared, route, &ask).await {
            Ok((success, answering)) => (Ok(success), answering),
            Err(failed) => (Err(failed), route),
        },
    };
    match shared.between.instead(route, inside.as_ref(), outcome).await {
        Ok(Success::Whole { status, headers, body }) => {
            let body = tamper::success(shared.defect, body);
            let mut reply = ProxyReply::whole(status, content_type(ask.api, &headers), body);
            head(shared, answering, family, &mut reply, headers::passed(&headers), &headers);
            reply
        }
        Ok(Success::Session { headers, upstream }) => {
            let mut reply = session_reply(SessionSource::Upstream(upstream));
            head(shared, answering, family, &mut reply, headers::passed(&headers), &headers);
            reply
        }
        Ok(Success::Stream { headers, first, source }) => {
            let own = tamper::stream_head(shared.defect, ask.api);
            let relay = StreamRelay::new(shared.clone(), answering.clone(), ask, first, source);
            let mut reply =
                ProxyReply { status: 200, headers: own, body: ReplyBody::Stream(Box::new(relay)) };
            head(shared, answering, family, &mut reply, headers::passed(&headers), &headers);
            reply
        }
        Err(Failed { failure, routes }) => {
            if shared.rules.mute && failure.cause == Cause::Status(503) {
                std::future::pending::<()>().await;
            }
            if let Some(source) =
                tamper_session::refused(shared.defect, &failure).filter(|_| ask.api.is_session())
            {
                return session_reply(source);
            }
            let mut failure = failure.into_family(family);
            shared.secrets.redact(&mut failure.error.error);
            shared.secrets.redact(&mut failure.error.around);
            let context = tamper::TamperContext {
                route,
                api: ask.api,
                stream: ask.stream,
                routes,
                proxy_key: &shared.proxy_key,
                now_and_then: shared.between.is_now_and_then(route),
            };
            tamper::failure(shared.defect, &mut failure, &context);
            let mut reply = tamper::form(shared.defect, &failure, &context)
                .unwrap_or_else(|| written(&CallFailure { headers: vec![], ..failure.clone() }));
            let upstream = failure.raw.as_ref().map_or(&[][..], |raw| &raw.headers);
            let mut told = failure.headers;
            if family == ErrorForm::Aws && headers::value(&told, AWS_TYPE).is_some() {
                reply.headers.retain(|(name, _)| name != AWS_TYPE);
            }
            if family != ErrorForm::Aws {
                told.retain(|(name, _)| name != AWS_TYPE);
            }
            head(shared, route, family, &mut reply, told, upstream);
            reply
        }
    }
}

fn session_reply(source: SessionSource) -> ProxyReply {
    ProxyReply { status: 101, headers: Vec::new(), body: ReplyBody::Session(source) }
}

/// Sound and plain text keep the type that the upstream gave them; all else is JSON.
fn content_type(api: Api, upstream: &[(String, String)]) -> &str {
    match api {
        Api::OpenaiSpeech | Api::OpenaiTranscriptions => {
            headers::value(upstream, "content-type").unwrap_or("application/octet-stream")
        }
        _ => "application/json",
    }
}

/// Adds the headers that are passed on, cleaned of secrets.
fn head(
    shared: &ProxyShared,
    route: &ProxyRoute,
    family: ErrorForm,
    reply: &mut ProxyReply,
    mut told: Vec<(String, String)>,
    upstream: &[(String, String)],
) {
    for (_, value) in &mut told {
        *value = shared.secrets.redacted(value).into_owned();
    }
    headers::name_request_id(family, &mut told);
    tamper::head(shared.defect, &mut told, upstream, route);
    reply.headers.append(&mut told);
}

/// A failure in the honest form.
pub(super) fn written(failure: &CallFailure) -> ProxyReply {
    let body = failure.error.body().to_string();
    let mut reply = ProxyReply::whole(failure.status, "application/json", body.into());
    if failure.error.family == ErrorForm::Aws {
        let word = ErrorForm::Aws.word(failure.status).unwrap_or_default();
        reply.headers.push((AWS_TYPE.into(), word.into()));
    }
    if failure.cause == Cause::Caller && failure.status == 401 {
        // RFC 9110 section 15.5.2: a 401 of one's own names the scheme.
        reply.headers.push(("www-authenticate".into(), "Bearer".into()));
    }
    reply.headers.extend(failure.headers.iter().cloned());
    reply
}
