//! Matches requests with the endpoints of a provider's profile.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value, json};

use super::{
    body::LazyJson,
    catalogue::ErrorRow,
    profile::{self, RouteRow},
    received::ReceivedCall,
    request::{RequestedCall, Verb},
};
use crate::{
    scenario::{Api, ErrorName, Provider},
    wire::multipart::{self, FormPart},
};

/// The reason why a request does not reach a model.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// The provider has no such path.
    NotFound,
    /// The path does not accept this method, only these.
    Method(Vec<&'static str>),
    /// The request has no API key.
    NoKey(RequestedCall),
    /// A required header is missing.
    NoHeader(RequestedCall, &'static ErrorRow),
    /// The body is not a JSON object.
    BadJson(RequestedCall),
    /// The body is not a form.
    BadForm(RequestedCall),
    /// The endpoint is a session, but the request does not ask for a WebSocket.
    NotUpgraded(RequestedCall),
}

impl Refusal {
    /// The error row of the refusal, and the request as far as it was parsed.
    pub(super) fn row(&self, provider: Provider) -> (&'static ErrorRow, RequestedCall) {
        let refusals = &profile::of(provider).refusals;
        let (row, asked) = match self {
            Self::NotFound => return (&refusals.not_found, RequestedCall::nothing(provider)),
            Self::Method(_) => return (&refusals.method_not_allowed, RequestedCall::nothing(provider)),
            Self::NoKey(asked) => (profile::catalogue_row(provider, ErrorName::MissingApiKey), asked),
            Self::NoHeader(asked, row) => (*row, asked),
            Self::BadJson(asked) => (&refusals.bad_json, asked),
            Self::NotUpgraded(asked) => (refusals.not_upgraded.as_ref().unwrap_or(&refusals.bad_json), asked),
            Self::BadForm(asked) => (refusals.bad_form.as_ref().unwrap_or(&refusals.bad_json), asked),
        };
        (row, asked.clone())
    }

    /// The methods that the path accepts, for the header `Allow`.
    pub(super) fn allowed(&self) -> String {
        if let Self::Method(methods) = self { methods.join(", ") } else { String::new() }
    }
}

/// Parses a request, and checks it as the provider does before it creates a response.
pub(super) fn read(provider: Provider, received: &ReceivedCall<'_>) -> Result<RequestedCall, Refusal> {
    let profile = profile::of(provider);
    let (path, query) = received.path.split_once('?').unwrap_or((received.path, ""));
    let (row, method, captured) = find(&profile.routes, received.method, path, query)?;
    let key = profile.key.iter().find_map(|place| place.read(received, query));
    let mut asked = RequestedCall {
        api: Some(row.api),
        verb: match method {
            "DELETE" => Verb::Delete,
            "GET" if captured.model.is_some() || captured.id.is_some() => Verb::Retrieve,
            "GET" => Verb::List,
            _ => Verb::Create,
        },
        id: captured.id,
        model: captured.model.unwrap_or_default(),
        stream: row.stream.unwrap_or_default(),
        query: query.to_owned(),
        key,
        ..RequestedCall::nothing(provider)
    };
    if asked.key.is_none() && !profile.key.is_empty() {
        return Err(Refusal::NoKey(asked));
    }
    let missing = |(name, _): &(&String, &ErrorRow)| received.header(name).is_none();
    if let Some((_, row)) = profile.required_headers.iter().find(missing) {
        return Err(Refusal::NoHeader(asked, row));
    }
    if row.api.is_session() {
        let mut named = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "model");
        asked.model = named.next().map(|(_, model)| model.into_owned()).unwrap_or_default();
        if !asks_for_websocket(received) {
            return Err(Refusal::NotUpgraded(asked));
        }
    } else if takes_form(row, received) {
        match form_fields(received) {
            Some(fields) => {
                if asked.model.is_empty() {
                    asked.model = fields.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
                }
                asked.stream = streams(row, fields.get("stream").and_then(Value::as_bool));
                asked.body = Value::Object(fields).into();
            }
            None => return Err(Refusal::BadForm(asked)),
        }
    } else if takes_json(row) {
        let Some((body, outline)) = LazyJson::read(received.body) else {
            return Err(Refusal::BadJson(asked));
        };
        if asked.model.is_empty() {
            asked.model = outline.model.unwrap_or_default();
        }
        asked.stream = streams(row, outline.stream);
        asked.with_usage = outline.with_usage;
        asked.body = body;
    }
    Ok(asked)
}

/// Whether a request is the handshake of a WebSocket, with a key of sixteen bytes (RFC 6455 section 4.2.1).
fn asks_for_websocket(received: &ReceivedCall<'_>) -> bool {
    let key = received.header("sec-websocket-key").and_then(|key| BASE64_STANDARD.decode(key).ok());
    received.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
        && key.is_some_and(|key| key.len() == 16)
}

/// Whether a route responds with a stream; `wanted` is the body's `stream`, if it has one.
fn streams(row: &RouteRow, wanted: Option<bool>) -> bool {
    row.stream.unwrap_or_else(|| {
        // Ollama's native endpoints stream by default.
        let usual = matches!(row.api, Api::OllamaChat | Api::OllamaGenerate);
        row.api.streams() && wanted.unwrap_or(usual)
    })
}

/// Whether the request's body is a form. Images are requested in JSON, or edited with a form that contains the
/// image.
fn takes_form(row: &RouteRow, received: &ReceivedCall<'_>) -> bool {
    let sent = || {
        received
            .header("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with(b"multipart/"))
    };
    row.post.is_some() && (row.api.is_form() || row.api == Api::OpenaiImages && sent())
}

/// The fields of a form by name: a text as a string, a file as `{"filename", "bytes"}`, where `bytes` is its length.
/// If a name occurs more than once, the last field counts. Returns `None` if the body is not a form.
fn form_fields(received: &ReceivedCall<'_>) -> Option<Map<String, Value>> {
    let content_type = received.text("content-type")?;
    let parts = multipart::parts(received.body, &multipart::boundary(content_type)?)?;
    let field = |FormPart { name, filename, content }| match filename {
        Some(filename) => (name, json!({"filename": filename, "bytes": content.len()})),
        None => (name, json!(String::from_utf8_lossy(&received.body[content]))),
    };
    Some(parts.into_iter().map(field).collect())
}

/// Whether the route requires a JSON body. A path with an id needs no body.
fn takes_json(row: &RouteRow) -> bool {
    row.post.as_ref().is_some_and(|path| !path.contains("{id}"))
}

/// The values that a pattern captures from a path.
#[derive(Debug, Default, PartialEq, Eq)]
struct Captured {
    model: Option<String>,
    id: Option<String>,
}

fn find<'a>(
    rows: &'a [RouteRow],
    method: &str,
    path: &str,
    query: &str,
) -> Result<(&'a RouteRow, &'static str, Captured), Refusal> {
    let mut known = Vec::new();
    for row in rows.iter().filter(|row| row.query.as_deref().is_none_or(|name| has(query, name))) {
        for (name, pattern) in [("GET", &row.get), ("POST", &row.post), ("DELETE", &row.delete)] {
            let Some(captured) = pattern.as_deref().and_then(|pattern| captured(pattern, path)) else {
                continue;
            };
            if name == method {
                return Ok((row, name, captured));
            }
            known.push(name);
        }
    }
    Err(if known.is_empty() { Refusal::NotFound } else { Refusal::Method(known) })
}

fn has(query: &str, name: &str) -> bool {
    url::form_urlencoded::parse(query.as_bytes()).any(|(key, value)| key == name && !value.is_empty())
}

/// The API that the provider serves at this path, and whether the path is for streams only or never for streams.
/// `None` if it has no such path.
pub(crate) fn api_at(provider: Provider, path: &str) -> Option<(Api, Option<bool>)> {
    let serves = |row: &&RouteRow| {
        let paths = [&row.get, &row.post, &row.delete];
        paths.into_iter().flatten().any(|pattern| captured(pattern, path).is_some())
    };
    profile::of(provider).routes.iter().find(serves).map(|row| (row.api, row.stream))
}

/// Matches a path with a pattern and returns the captured values; `None` if it does not match.
fn captured(pattern: &str, path: &str) -> Option<Captured> {
    let mut captured = Captured::default();
    let mut path = path;
    let mut pattern = pattern;
    while let Some((before, after)) = pattern.split_once('{') {
        path = path.strip_prefix(before)?;
        let (name, rest) = after.split_once('}')?;
        // A capture ends at the next literal of the pattern, or at the end of the segment.
        let literal = rest.split('{').next().unwrap_or(rest);
        let segment = path.find('/').unwrap_or(path.len());
        let end = match literal.chars().next() {
            None => segment,
            Some('/') => segment,
            Some(_) => path[..segment].rfind(literal.split('/').next().unwrap_or(literal))?,
        };
        if end == 0 {
            return None;
        }
        match name {
            "model" => captured.model = Some(percent_decoded(&path[..end])),
            "id" => captured.id = Some(percent_decoded(&path[..end])),
            _ => {}
        }
        path = &path[end..];
        pattern = rest;
    }
    (path == pattern).then_some(captured)
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pattern_captures_the_model() {
        for (pattern, path, model) in [
            ("/v1/chat/completions", "/v1/chat/completions", Some(None)),
            ("/v1/chat/completions", "/v1/chat/completions/", None),
            (
                "/{v}/models/{model}:generateContent",
                "/v1beta/models/g-1.5:generateContent",
                Some(Some("g-1.5")),
            ),
            ("/{v}/models/{model}:generateContent", "/v1beta/models/:generateContent", None),
            ("/{v}/models/{model}:generateContent", "/v1beta/models/a/b:generateContent", None),
            ("/model/{model}/converse", "/model/a.b-v1%3A0/converse", Some(Some("a.b-v1:0"))),
            ("/model/{model}/converse", "/model/a.b-v1:0/converse-stream", None),
        ] {
            let captured = captured(pattern, path);
            assert_eq!(
                captured.map(|captured| captured.model),
                model.map(|model| model.map(str::to_owned)),
                "{pattern} {path}"
            );
        }
    }

    #[test]
    fn a_pattern_captures_an_id() {
        let captured = captured("/v1/batches/{id}/cancel", "/v1/batches/batch_1/cancel").unwrap();
        assert_eq!((captured.id.as_deref(), captured.model), (Some("batch_1"), None));
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in "[/a{}:é%]{0,20}", pattern in "[/a{}:é]{0,20}") {
            let _ = captured(&pattern, &path);
        }
    }
}
