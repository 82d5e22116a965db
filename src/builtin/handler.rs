//! Handles one request of a caller, from its bytes to the reply.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::{
    attempt::Success,
    chain,
    classify::AWS_TYPE,
    dialect::{self, ErrorForm},
    extension::{FailureContext, Headers},
    failure::{CallFailure, FailedCall},
    headers, incoming, passed_body, pinged_stream,
    relay::StreamRelay,
    reply::{ProxyReply, ReplyBody, SessionSource},
    shared::ProxyShared,
    upstream_request::CallerRequest,
};
use crate::{dialect::carrier, proxy::ProxyRoute, scenario::Api};

/// The maximum size of a request body, in bytes.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// The path of the health check, which needs no key.
const HEALTH: &str = "/health";

/// Answers one request.
pub(super) async fn handle(shared: Arc<ProxyShared>, request: http::Request<Incoming>) -> ProxyReply {
    if request.uri().path() == HEALTH {
        return ProxyReply::whole(200, "application/json", Bytes::from_static(b"{\"status\":\"ok\"}"));
    }
    let reply = Box::pin(replied(shared.clone(), request));
    shared.extension.request(&shared.tasks, reply).await
}

async fn replied(shared: Arc<ProxyShared>, request: http::Request<Incoming>) -> ProxyReply {
    let (head, body) = request.into_parts();
    if let Some((route, rest)) = passed_body::address(&shared, head.uri.path()) {
        let rejected =
            |failure: CallFailure| ProxyReply::failure(&failure.into_form(ErrorForm::of(route.api)));
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
    let rejected = |mut failure: CallFailure| {
        let mut form = form;
        shared.extension.rejection(&mut failure, &mut form);
        ProxyReply::failure(&failure.into_form(form))
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
            Some(interval) => {
                let (extension, api, route, shared) =
                    (shared.extension.clone(), call.api, route.clone(), shared.clone());
                let call = Box::pin(async move { answered(&shared, &route, call).await });
                pinged_stream::answer(extension, api, call, interval).await
            }
            None => answered(&shared, route, call).await,
        },
        Err(failure) => rejected(failure),
    }
}

/// Reads the whole body of a request.
async fn collected(body: Incoming) -> Result<Bytes, CallFailure> {
    match Limited::new(body, MAX_REQUEST).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(CallFailure::caller(413, "request_too_large", "The request body is too large."))
        }
        Err(_) => Err(CallFailure::caller(400, "bad_request", "The request body could not be read.")),
    }
}

/// Runs a valid request and returns its reply.
async fn answered(shared: &Arc<ProxyShared>, route: &ProxyRoute, call: CallerRequest) -> ProxyReply {
    let form = ErrorForm::of(call.api);
    let running = Box::pin(async {
        match chain::run(shared, route, &call).await {
            Ok((success, answering)) => (Ok(success), answering),
            Err(failed) => (Err(failed), route),
        }
    });
    let (result, answering) = match shared.extension.kept(route, &call) {
        Some(success) => {
            drop(running);
            (Ok(success), route)
        }
        None => shared.extension.call(route, running).await,
    };
    if let Ok(success) = &result {
        shared.extension.keep(route, &call, success);
    }
    let (mut reply, upstream) = match result {
        Ok(Success::Whole { status, headers, body }) => {
            let body = shared.extension.content(body);
            (ProxyReply::whole(status, content_type(call.api, &headers), body), headers)
        }
        Ok(Success::Session { headers, upstream }) => {
            (ProxyReply::session(SessionSource::Upstream(upstream)), headers)
        }
        Ok(Success::Stream { headers, first, source }) => {
            let own = stream_head(shared, call.api);
            let relay = StreamRelay::new(shared.clone(), answering.clone(), call, first, source);
            (ProxyReply { status: 200, headers: own, body: ReplyBody::Stream(relay.into_body()) }, headers)
        }
        Err(failed) => return failure(shared, route, &call, failed),
    };
    head(shared, answering, form, &mut reply, headers::passed(&upstream), &upstream);
    reply
}

/// The reply to a call that failed.
fn failure(
    shared: &ProxyShared,
    route: &ProxyRoute,
    call: &CallerRequest,
    FailedCall { failure, routes }: FailedCall,
) -> ProxyReply {
    let form = ErrorForm::of(call.api);
    if call.api.is_session()
        && let Some(source) = shared.extension.session_instead(&failure)
    {
        return ProxyReply::session(source);
    }
    let mut failure = failure.into_form(form);
    shared.secrets.redact(&mut failure.error.error);
    shared.secrets.redact(&mut failure.error.around);
    let context =
        FailureContext { route, api: call.api, stream: call.stream, routes, proxy_key: &shared.proxy_key };
    shared.extension.failure(&mut failure, &context);
    let own = || ProxyReply::failure(&CallFailure { headers: vec![], ..failure.clone() });
    let mut reply = shared.extension.reply_instead(&failure, &context).unwrap_or_else(own);
    let upstream = failure.raw.map(|raw| raw.headers).unwrap_or_default();
    let mut passed = failure.headers;
    if form == ErrorForm::Aws && headers::value(&passed, AWS_TYPE).is_some() {
        reply.headers.retain(|(name, _)| name != AWS_TYPE);
    }
    if form != ErrorForm::Aws {
        passed.retain(|(name, _)| name != AWS_TYPE);
    }
    head(shared, route, form, &mut reply, passed, &upstream);
    reply
}

/// The proxy's own headers of a stream.
fn stream_head(shared: &ProxyShared, api: Api) -> Headers {
    let content_type = carrier(api).content_type();
    let mut head = [("content-type", content_type), ("cache-control", "no-cache")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    shared.extension.stream_head(&mut head);
    head
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
    mut passed: Headers,
    upstream: &Headers,
) {
    for (_, value) in &mut passed {
        *value = shared.secrets.redacted(value).into_owned();
    }
    headers::name_request_id(form, &mut passed);
    shared.extension.head(&mut passed, upstream, route);
    reply.headers.append(&mut passed);
}
