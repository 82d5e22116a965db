//! Handles one request of a caller, from its bytes to the reply.

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
    upstream_request::CallerRequest,
};
use crate::{proxy::ProxyRoute, scenario::Api};

/// The maximum size of a request body, in bytes.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The path of the health check, which needs no key.
const HEALTH: &str = "/health";

/// The response to the caller.
#[derive(Debug)]
pub(super) struct ProxyReply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: ReplyBody,
}

/// A response body, complete or streamed.
#[derive(Debug)]
pub(super) enum ReplyBody {
    Whole(Bytes),
    Stream(Box<StreamRelay>),
    /// A stream that starts before the upstream has answered.
    Pinged(Box<PingedStream>),
    /// A provider's own body, streamed unchanged.
    Passed(Box<PassedBody>),
    /// The session after a 101.
    Session(SessionSource),
    /// A stream that continues without its caller. Only a defect sends it.
    Detached(mpsc::UnboundedReceiver<Bytes>),
}

impl ProxyReply {
    pub(super) fn whole(status: u16, content_type: &str, body: Bytes) -> Self {
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
    let _turn = shared.defect_memory.turn().await;
    if let Some((route, rest)) = passed_body::address(&shared, head.uri.path()) {
        let rejected = |failure: CallFailure| written(&failure.into_form(ErrorForm::of(route.api)));
        if !incoming::has_key(&shared, &head) {
            return rejected(incoming::no_key());
        }
        return match collected(body).await {
            Ok(body) => passed_body::pass(&shared, route, rest, &head, body).await,
            Err(failure) => rejected(failure),
        };
    }
    let address = dialect::address(head.uri.path());
    let form = address.as_ref().map_or(ErrorForm::Openai, |address| ErrorForm::of(address.api));
    let rejected = |failure: CallFailure| {
        let (failure, form) = tamper::refusal(shared.defect, failure, form);
        written(&failure.into_form(form))
    };
    let address = match incoming::admit(&shared, &head, address) {
        Ok(address) => address,
        Err(failure) => return rejected(failure),
    };
    let body = match collected(body).await {
        Ok(body) => body,
        Err(failure) => return rejected(failure),
    };
    match incoming::read(&shared, &head, address, body) {
        Ok((route, call)) => match pinged_stream::interval(route, &call) {
            Some(interval) => pinged_stream::answer(shared.clone(), route, call, interval).await,
            None => answered(&shared, route, call).await,
        },
        Err(failure) => rejected(failure),
    }
}

/// Reads the whole body of a request.
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

/// Runs a valid request and returns its reply.
pub(super) async fn answered(
    shared: &Arc<ProxyShared>,
    route: &ProxyRoute,
    call: CallerRequest,
) -> ProxyReply {
    let form = ErrorForm::of(call.api);
    let inside = shared.defect_memory.enter(route);
    let (outcome, answering) = match shared.defect_memory.refusal(route) {
        Some(refusal) => (Err(refusal), route),
        None => match chain::run(shared, route, &call).await {
            Ok((success, answering)) => (Ok(success), answering),
            Err(failed) => (Err(failed), route),
        },
    };
    match shared.defect_memory.instead(route, inside.as_ref(), outcome).await {
        Ok(Success::Whole { status, headers, body }) => {
            let body = tamper::success(shared.defect, body);
            let mut reply = ProxyReply::whole(status, content_type(call.api, &headers), body);
            head(shared, answering, form, &mut reply, headers::passed(&headers), &headers);
            reply
        }
        Ok(Success::Session { headers, upstream }) => {
            let mut reply = session_reply(SessionSource::Upstream(upstream));
            head(shared, answering, form, &mut reply, headers::passed(&headers), &headers);
            reply
        }
        Ok(Success::Stream { headers, first, source }) => {
            let own = tamper::stream_head(shared.defect, call.api);
            let relay = StreamRelay::new(shared.clone(), answering.clone(), call, first, source);
            let mut reply =
                ProxyReply { status: 200, headers: own, body: ReplyBody::Stream(Box::new(relay)) };
            head(shared, answering, form, &mut reply, headers::passed(&headers), &headers);
            reply
        }
        Err(Failed { failure, routes }) => {
            if shared.rules.mute_on_503 && failure.cause == Cause::Status(503) {
                std::future::pending::<()>().await;
            }
            if let Some(source) =
                tamper_session::refused(shared.defect, &failure).filter(|_| call.api.is_session())
            {
                return session_reply(source);
            }
            let mut failure = failure.into_form(form);
            shared.secrets.redact(&mut failure.error.error);
            shared.secrets.redact(&mut failure.error.around);
            let context = tamper::TamperContext {
                route,
                api: call.api,
                stream: call.stream,
                routes,
                proxy_key: &shared.proxy_key,
                is_third_error: shared.defect_memory.is_third_error(route),
            };
            tamper::failure(shared.defect, &mut failure, &context);
            let mut reply = tamper::form(shared.defect, &failure, &context)
                .unwrap_or_else(|| written(&CallFailure { headers: vec![], ..failure.clone() }));
            let upstream = failure.raw.as_ref().map_or(&[][..], |raw| &raw.headers);
            let mut passed = failure.headers;
            if form == ErrorForm::Aws && headers::value(&passed, AWS_TYPE).is_some() {
                reply.headers.retain(|(name, _)| name != AWS_TYPE);
            }
            if form != ErrorForm::Aws {
                passed.retain(|(name, _)| name != AWS_TYPE);
            }
            head(shared, route, form, &mut reply, passed, upstream);
            reply
        }
    }
}

fn session_reply(source: SessionSource) -> ProxyReply {
    ProxyReply { status: 101, headers: Vec::new(), body: ReplyBody::Session(source) }
}

/// The content type of a reply: audio and transcriptions keep that of the upstream, all else is JSON.
fn content_type(api: Api, upstream: &[(String, String)]) -> &str {
    match api {
        Api::OpenaiSpeech | Api::OpenaiTranscriptions => {
            headers::value(upstream, "content-type").unwrap_or("application/octet-stream")
        }
        _ => "application/json",
    }
}

/// Adds the headers that are passed on, with secrets removed.
fn head(
    shared: &ProxyShared,
    route: &ProxyRoute,
    form: ErrorForm,
    reply: &mut ProxyReply,
    mut passed: Vec<(String, String)>,
    upstream: &[(String, String)],
) {
    for (_, value) in &mut passed {
        *value = shared.secrets.redacted(value).into_owned();
    }
    headers::name_request_id(form, &mut passed);
    tamper::head(shared.defect, &mut passed, upstream, route);
    reply.headers.append(&mut passed);
}

/// Writes a failure as the honest proxy does.
pub(super) fn written(failure: &CallFailure) -> ProxyReply {
    let body = failure.error.body().to_string();
    let mut reply = ProxyReply::whole(failure.status, "application/json", body.into());
    if failure.error.form == ErrorForm::Aws {
        let error_type = ErrorForm::Aws.error_type(failure.status).unwrap_or_default();
        reply.headers.push((AWS_TYPE.into(), error_type.into()));
    }
    if failure.cause == Cause::Caller && failure.status == 401 {
        // RFC 9110 section 15.5.2: a server that generates a 401 must name the scheme.
        reply.headers.push(("www-authenticate".into(), "Bearer".into()));
    }
    reply.headers.extend(failure.headers.iter().cloned());
    reply
}
