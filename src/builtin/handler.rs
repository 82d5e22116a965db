//! One request of a caller, from its bytes to a reply.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use super::{
    ask::{self, Ask, AskBody},
    attempt::Success,
    chain::{self, Failed, Shared},
    classify::AWS_TYPE,
    dialect::{self, Address, Family},
    envelope,
    failure::{Cause, Failure},
    headers, multipart,
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
    let address = dialect::address(head.uri.path());
    let family = address.as_ref().map_or(Family::Openai, |address| Family::of(address.api));
    let told = |failure: Failure| written(&failure.into_family(family));
    let address = match admit(&shared, &head, address) {
        Ok(address) => address,
        Err(failure) => return told(failure),
    };
    let body = match Limited::new(body, MAX_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return told(Failure::caller(413, "request_too_large", "The request body is too large."));
        }
        Err(_) => {
            return told(Failure::caller(400, "bad_request", "The request body could not be read."));
        }
    };
    match read(&shared, &head, address, body) {
        Ok((route, ask)) => answer(&shared, route, ask).await,
        Err(failure) => told(failure),
    }
}

/// Path, method and key, before the body is read.
fn admit(shared: &Shared, head: &http::request::Parts, address: Option<Address>) -> Result<Address, Failure> {
    let Some(address) = address else {
        let message = format!("Unknown path: {} {}", head.method, head.uri.path());
        return Err(Failure::caller(404, "not_found", message));
    };
    let method = address.api.method();
    if head.method != method {
        let message = format!("This path takes {method} only.");
        return Err(Failure::caller(405, "method_not_allowed", message));
    }
    if key(head).as_deref() != Some(&shared.proxy_key) {
        return Err(Failure::caller(
            401,
            "invalid_api_key",
            "The API key of this proxy is missing or wrong.",
        ));
    }
    Ok(address)
}

/// The key that a caller shows, wherever the SDKs put it.
fn key(head: &http::request::Parts) -> Option<String> {
    let header = |name: &str| header(head, name).map(str::trim);
    let bearer = header("authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim());
    let named = || ["x-api-key", "x-goog-api-key", "api-key"].iter().find_map(|name| header(name));
    bearer
        .or_else(named)
        .map(str::to_owned)
        .or_else(|| query(head).into_iter().find_map(|(name, value)| (name == "key").then_some(value)))
}

fn header<'a>(head: &'a http::request::Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

fn query(head: &http::request::Parts) -> Vec<(String, String)> {
    let query = head.uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// What is asked for, and on which route: the model's name stands in the path, in the body, or,
/// where an API has none, in the query.
fn read<'a>(
    shared: &'a Shared,
    head: &http::request::Parts,
    address: Address,
    bytes: Bytes,
) -> Result<(&'a Route, Ask), Failure> {
    let Address { api, model, stream } = address;
    let mut query = query(head);
    let body = body(api, header(head, "content-type").unwrap_or_default(), bytes)?;
    let named = match &body {
        AskBody::None => None,
        AskBody::Json(body) => body.get("model").and_then(Value::as_str).map(str::to_owned),
        AskBody::Form { bytes, model } => {
            model.clone().map(|range| String::from_utf8_lossy(&bytes[range]).into_owned())
        }
    };
    let in_query = || query.iter().find(|(name, _)| name == "model").map(|(_, value)| value.clone());
    let Some(model) = model.or(named).or_else(in_query) else {
        return Err(Failure::caller(400, "missing_model", "The request names no model."));
    };
    query.retain(|(name, _)| name != "model" && name != "key");
    let route = shared.route(&model).ok_or_else(|| {
        Failure::caller(404, "model_not_found", format!("The model `{model}` does not exist."))
    })?;
    let in_body = || match &body {
        AskBody::Json(body) => wants_stream(api, body.get("stream")),
        _ => false,
    };
    let stream = stream.unwrap_or_else(|| api.streams() && in_body());
    let mut headers = Vec::new();
    for name in PASSED_ON {
        headers.extend(header(head, name).map(|value| (name.to_owned(), value.to_owned())));
    }
    if let AskBody::Form { .. } = body {
        headers.extend(header(head, "content-type").map(|kind| ("content-type".to_owned(), kind.to_owned())));
    }
    let ask = Ask { api, stream, body, query, headers };
    ask.upstream_api(route)?;
    Ok((route, ask))
}

/// Headers of a caller that mean something to the upstream.
const PASSED_ON: [&str; 2] = ["anthropic-version", "anthropic-beta"];

fn body(api: Api, content_type: &str, bytes: Bytes) -> Result<AskBody, Failure> {
    let bad = |message: &str| Failure::caller(400, "invalid_json", message);
    if api.method() == "GET" {
        return Ok(AskBody::None);
    }
    if matches!(api, Api::OpenaiTranscriptions | Api::OpenaiFiles) {
        let Some(boundary) = multipart::boundary(content_type) else {
            return Err(Failure::caller(400, "invalid_form", "The request body is no multipart form."));
        };
        let model = multipart::field(&bytes, boundary, "model");
        return Ok(AskBody::Form { model, bytes });
    }
    let body: Value = serde_json::from_slice(&bytes).map_err(|_| bad("The request body is no JSON."))?;
    match body {
        Value::Object(body) => Ok(AskBody::Json(body)),
        _ => Err(bad("The request body is no JSON object.")),
    }
}

/// Ollama's own endpoints stream unless they are told not to.
fn wants_stream(api: Api, stream: Option<&Value>) -> bool {
    let stream = stream.and_then(Value::as_bool);
    stream.unwrap_or(api.native_provider() == Provider::Ollama)
}

async fn answer(shared: &Arc<Shared>, route: &Route, ask: Ask) -> Reply {
    let family = Family::of(ask.api);
    match chain::run(shared, route, &ask).await {
        Ok((Success::Whole { status, headers, body }, route)) => {
            let mut reply = Reply::whole(status, content_type(ask.api, &headers), body);
            head(shared, route, family, &mut reply, headers::passed(&headers), &headers);
            reply
        }
        Ok((Success::Stream { headers, first, source }, route)) => {
            let content_type = ask::stream_type(ask.api);
            let relay = Relay::new(shared.clone(), route.clone(), ask, first, source);
            let mut reply = Reply {
                status: 200,
                headers: vec![
                    ("content-type".into(), content_type.into()),
                    ("cache-control".into(), "no-cache".into()),
                ],
                body: ReplyBody::Stream(Box::new(relay)),
            };
            head(shared, route, family, &mut reply, headers::passed(&headers), &headers);
            reply
        }
        Err(Failed { failure, routes }) => {
            if shared.rules.mute && failure.cause == Cause::Status(503) {
                std::future::pending::<()>().await;
            }
            let mut failure = failure.into_family(family);
            envelope::redact(&mut failure.told.error, &shared.routes);
            envelope::redact(&mut failure.told.around, &shared.routes);
            let context = tamper::Context {
                route,
                api: ask.api,
                stream: ask.stream,
                routes,
                proxy_key: &shared.proxy_key,
            };
            tamper::failure(shared.defect, &mut failure, &context);
            let mut reply = tamper::form(shared.defect, &failure, &context)
                .unwrap_or_else(|| written(&Failure { headers: vec![], ..failure.clone() }));
            let upstream = failure.raw.as_ref().map_or(&[][..], |raw| &raw.headers);
            let mut told = failure.headers;
            if family == Family::Aws && headers::value(&told, AWS_TYPE).is_some() {
                reply.headers.retain(|(name, _)| name != AWS_TYPE);
            }
            if family != Family::Aws {
                told.retain(|(name, _)| name != AWS_TYPE);
            }
            head(shared, route, family, &mut reply, told, upstream);
            reply
        }
    }
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
    shared: &Shared,
    route: &Route,
    family: Family,
    reply: &mut Reply,
    mut told: Vec<(String, String)>,
    upstream: &[(String, String)],
) {
    for (_, value) in &mut told {
        *value = envelope::redacted(value, &shared.routes).into_owned();
    }
    headers::name_request_id(family, &mut told);
    tamper::head(shared.defect, &mut told, upstream, route);
    reply.headers.append(&mut told);
}

/// A failure in the honest form.
fn written(failure: &Failure) -> Reply {
    let body = failure.told.body().to_string();
    let mut reply = Reply::whole(failure.status, "application/json", body.into());
    if failure.told.family == Family::Aws {
        let word = Family::Aws.word(failure.status).unwrap_or_default();
        reply.headers.push((AWS_TYPE.into(), word.into()));
    }
    if failure.cause == Cause::Caller && failure.status == 401 {
        // RFC 9110 section 15.5.2: a 401 of one's own names the scheme.
        reply.headers.push(("www-authenticate".into(), "Bearer".into()));
    }
    reply.headers.extend(failure.headers.iter().cloned());
    reply
}
