//! One request of a caller, from its bytes to a reply.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Value, json};

use super::{
    attempt::Success,
    chain::{self, Ask, Failed, Shared},
    envelope,
    failure::{Cause, Failure},
    headers,
    relay::Relay,
    tamper,
};
use crate::{
    proxy::Route,
    scenario::{Api, Provider},
};

/// No request of a test is longer.
const MAX_REQUEST: usize = 16 * 1024 * 1024;

/// What goes back to the caller.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: ReplyBody,
}

/// A body, whole or as it comes.
#[derive(Debug)]
pub(super) enum ReplyBody {
    Whole(Bytes),
    Stream(Box<Relay>),
}

impl Reply {
    pub fn whole(status: u16, content_type: &str, body: Bytes) -> Self {
        Self {
            status,
            headers: vec![("content-type".into(), content_type.into())],
            body: ReplyBody::Whole(body),
        }
    }
}

/// Answers one request.
pub(super) async fn handle<B>(shared: Arc<Shared>, request: http::Request<B>) -> Reply
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if let Err(failure) = admit(&shared, &head) {
        return written(&failure);
    }
    let body = match Limited::new(body, MAX_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return written(&Failure::caller(413, "request_too_large", "The request body is too large."));
        }
        Err(_) => {
            return written(&Failure::caller(400, "bad_request", "The request body could not be read."));
        }
    };
    match read(&shared, &body) {
        Ok((route, ask)) => answer(&shared, route, ask).await,
        Err(failure) => written(&failure),
    }
}

/// Path, method and key, before the body is read.
fn admit(shared: &Shared, head: &http::request::Parts) -> Result<(), Failure> {
    if head.uri.path() != Api::OpenaiChat.path(false) {
        let message = format!("Unknown path: {} {}", head.method, head.uri.path());
        return Err(Failure::caller(404, "not_found", message));
    }
    if head.method != http::Method::POST {
        return Err(Failure::caller(405, "method_not_allowed", "This path takes POST only."));
    }
    let key = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let key = key
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if key.map(|(_, key)| key.trim()) != Some(&shared.proxy_key) {
        return Err(Failure::caller(
            401,
            "invalid_api_key",
            "The API key of this proxy is missing or wrong.",
        ));
    }
    Ok(())
}

fn read<'a>(shared: &'a Shared, body: &[u8]) -> Result<(&'a Route, Ask), Failure> {
    let bad = |message: &str| Failure::caller(400, "invalid_json", message);
    let body: Value = serde_json::from_slice(body).map_err(|_| bad("The request body is no JSON."))?;
    let Value::Object(body) = body else { return Err(bad("The request body is no JSON object.")) };
    let Some(model) = body.get("model").and_then(Value::as_str) else {
        return Err(Failure::caller(400, "missing_model", "The request names no model."));
    };
    let route = shared.route(model).ok_or_else(|| {
        Failure::caller(404, "model_not_found", format!("The model `{model}` does not exist."))
    })?;
    if route.provider != Provider::Openai {
        let message =
            format!("The model `{model}` stands behind a provider that this proxy cannot speak to.");
        return Err(Failure::caller(404, "model_not_found", message));
    }
    let stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
    Ok((route, Ask { body, stream }))
}

async fn answer(shared: &Arc<Shared>, route: &Route, ask: Ask) -> Reply {
    match chain::run(shared, route, &ask).await {
        Ok((Success::Whole { status, headers, body }, route)) => {
            let mut reply = Reply::whole(status, "application/json", body);
            head(shared, route, &mut reply, headers::passed(&headers), &headers);
            reply
        }
        Ok((Success::Stream { headers, first, source }, route)) => {
            let relay = Relay::new(shared.clone(), route.clone(), ask, first, source);
            let mut reply = Reply {
                status: 200,
                headers: vec![
                    ("content-type".into(), "text/event-stream".into()),
                    ("cache-control".into(), "no-cache".into()),
                ],
                body: ReplyBody::Stream(Box::new(relay)),
            };
            head(shared, route, &mut reply, headers::passed(&headers), &headers);
            reply
        }
        Err(Failed { mut failure, routes }) => {
            if shared.rules.mute && failure.cause == Cause::Status(503) {
                std::future::pending::<()>().await;
            }
            envelope::redact(&mut failure.error, &shared.routes);
            let context = tamper::Context { route, stream: ask.stream, routes, proxy_key: &shared.proxy_key };
            tamper::failure(shared.defect, &mut failure, &context);
            let mut reply = tamper::form(shared.defect, &failure, &context)
                .unwrap_or_else(|| written(&Failure { headers: vec![], ..failure.clone() }));
            let upstream = failure.raw.as_ref().map_or(&[][..], |raw| &raw.headers);
            head(shared, route, &mut reply, failure.headers, upstream);
            reply
        }
    }
}

/// Adds the headers that are passed on, cleaned of secrets.
fn head(
    shared: &Shared,
    route: &Route,
    reply: &mut Reply,
    mut told: Vec<(String, String)>,
    upstream: &[(String, String)],
) {
    for (_, value) in &mut told {
        *value = envelope::redacted(value, &shared.routes).into_owned();
    }
    tamper::head(shared.defect, &mut told, upstream, route);
    reply.headers.append(&mut told);
}

/// A failure in the honest form.
fn written(failure: &Failure) -> Reply {
    let body = json!({ "error": failure.error }).to_string();
    let mut reply = Reply::whole(failure.status, "application/json", body.into());
    if failure.cause == Cause::Caller && failure.status == 401 {
        // RFC 9110 section 15.5.2: a 401 of one's own names the scheme.
        reply.headers.push(("www-authenticate".into(), "Bearer".into()));
    }
    reply.headers.extend(failure.headers.iter().cloned());
    reply
}
