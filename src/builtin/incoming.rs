//! Reads a caller's request: from its head and body to a route and a [`CallerRequest`]. Pure.

use bytes::Bytes;
use http::request::Parts;
use serde_json::Value;

use super::{
    dialect::Address,
    extension::ProxyStep,
    failure::CallFailure,
    shared::ProxyShared,
    upstream_request::{CallerRequest, UpstreamBody},
};
use crate::{
    proxy::ProxyRoute,
    scenario::{Api, Provider},
    wire::multipart,
};

/// Checks the path, the method and the key of a request, before its body is read.
pub(super) fn admit(
    shared: &ProxyShared,
    head: &Parts,
    address: Option<Address>,
) -> Result<Address, CallFailure> {
    let Some(address) = address else {
        let message = format!("Unknown path: {} {}", head.method, head.uri.path());
        return Err(CallFailure::caller(404, "not_found", message));
    };
    let method = address.api.method();
    if head.method != method {
        let message = format!("This path takes {method} only.");
        return Err(CallFailure::caller(405, "method_not_allowed", message));
    }
    if has_key(shared, head) { Ok(address) } else { Err(no_key()) }
}

/// Whether the request carries the key of this proxy.
pub(super) fn has_key(shared: &ProxyShared, head: &Parts) -> bool {
    key(head).as_deref() == Some(&shared.proxy_key) || !shared.extension.takes(ProxyStep::CheckKey)
}

/// The failure for a request without a valid key.
pub(super) fn no_key() -> CallFailure {
    CallFailure::caller(401, "invalid_api_key", "The API key of this proxy is missing or wrong.")
}

/// The key of a request, from any of the places in which SDKs send it.
fn key(head: &Parts) -> Option<String> {
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

fn header<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

fn query(head: &Parts) -> Vec<(String, String)> {
    let query = head.uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// Reads the route and the content of a request. The path or the body names the model; if neither has one,
/// the query does.
pub(super) fn read<'a>(
    shared: &'a ProxyShared,
    head: &Parts,
    address: Address,
    bytes: Bytes,
) -> Result<(&'a ProxyRoute, CallerRequest), CallFailure> {
    let Address { api, model, stream } = address;
    if api.is_session() && header(head, "sec-websocket-key").is_none() {
        let message = "This path is for WebSockets: request the upgrade.";
        return Err(CallFailure::caller(426, "upgrade_required", message));
    }
    let mut query = query(head);
    let body = body(api, header(head, "content-type").unwrap_or_default(), bytes)?;
    let named = match &body {
        UpstreamBody::None => None,
        UpstreamBody::Json(body) => body.get("model").and_then(Value::as_str).map(str::to_owned),
        UpstreamBody::Form { bytes, model } => {
            model.clone().map(|range| String::from_utf8_lossy(&bytes[range]).into_owned())
        }
    };
    let in_query = || query.iter().find(|(name, _)| name == "model").map(|(_, value)| value.clone());
    let Some(model) = model.or(named).or_else(in_query) else {
        return Err(CallFailure::caller(400, "missing_model", "The request names no model."));
    };
    query.retain(|(name, _)| name != "model" && name != "key");
    let route = shared.route(&model).ok_or_else(|| {
        CallFailure::caller(404, "model_not_found", format!("The model `{model}` does not exist."))
    })?;
    let in_body = || match &body {
        UpstreamBody::Json(body) => wants_stream(api, body.get("stream")),
        _ => false,
    };
    let stream = stream.unwrap_or_else(|| api.streams() && in_body());
    let mut headers = Vec::new();
    for name in PASSED_ON {
        headers.extend(header(head, name).map(|value| (name.to_owned(), value.to_owned())));
    }
    if let UpstreamBody::Form { .. } = body {
        headers.extend(header(head, "content-type").map(|kind| ("content-type".to_owned(), kind.to_owned())));
    }
    let call = CallerRequest { api, stream, body, query, headers };
    call.upstream_api(route)?;
    Ok((route, call))
}

/// The headers of a caller that the proxy sends to the upstream too.
const PASSED_ON: [&str; 2] = ["anthropic-version", "anthropic-beta"];

fn body(api: Api, content_type: &str, bytes: Bytes) -> Result<UpstreamBody, CallFailure> {
    let bad = |message: &str| CallFailure::caller(400, "invalid_json", message);
    if api.method() == "GET" {
        return Ok(UpstreamBody::None);
    }
    if api.is_form() {
        let parts =
            multipart::boundary(content_type).and_then(|boundary| multipart::parts(&bytes, &boundary));
        let Some(parts) = parts else {
            return Err(CallFailure::caller(
                400,
                "invalid_form",
                "The request body is not a multipart form.",
            ));
        };
        let model = parts.into_iter().find(|part| part.name == "model").map(|part| part.content);
        return Ok(UpstreamBody::Form { model, bytes });
    }
    let body: Value =
        serde_json::from_slice(&bytes).map_err(|_| bad("The request body is not valid JSON."))?;
    match body {
        Value::Object(body) => Ok(UpstreamBody::Json(body)),
        _ => Err(bad("The request body is not a JSON object.")),
    }
}

/// Whether a body requests a stream. Ollama's own endpoints stream unless the body says otherwise.
fn wants_stream(api: Api, stream: Option<&Value>) -> bool {
    let stream = stream.and_then(Value::as_bool);
    stream.unwrap_or(api.native_provider() == Provider::Ollama)
}
