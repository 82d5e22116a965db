//! From a request to what it asks for, as a provider's profile describes its endpoints.

use serde_json::Value;

use super::{
    catalogue::ErrorRow,
    profile::{self, RouteRow},
    request::{Asked, Received},
};
use crate::scenario::{Api, ErrorName, Provider};

/// Why a request reaches no model.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// The provider has no such path.
    NotFound,
    /// The path does not take this method.
    Method,
    /// No key was sent.
    NoKey(Asked),
    /// A header is missing without which nothing is answered.
    NoHeader(Asked, &'static ErrorRow),
    /// The body is no JSON object.
    BadJson(Asked),
}

impl Refusal {
    /// The row that says so, and what was understood of the request.
    pub(super) fn row(self, provider: Provider) -> (&'static ErrorRow, Asked) {
        let profile = profile::of(provider);
        match self {
            Self::NotFound => (&profile.refusals.not_found, Asked::nothing(provider)),
            Self::Method => (&profile.refusals.method_not_allowed, Asked::nothing(provider)),
            Self::NoKey(asked) => (super::dialect::catalogue_row(provider, ErrorName::MissingApiKey), asked),
            Self::NoHeader(asked, row) => (row, asked),
            Self::BadJson(asked) => (&profile.refusals.bad_json, asked),
        }
    }
}

/// Reads a request as the provider would before it thinks about an answer.
pub(super) fn read(provider: Provider, received: &Received<'_>) -> Result<Asked, Refusal> {
    let profile = profile::of(provider);
    let (path, query) = received.path.split_once('?').unwrap_or((received.path, ""));
    let (row, model) = find(&profile.routes, received.method, path)?;
    let key = profile.key.iter().find_map(|place| place.read(received.headers, query));
    let mut asked = Asked {
        api: Some(row.api),
        model: model.unwrap_or_default(),
        stream: row.stream.unwrap_or_default(),
        query: query.to_owned(),
        key,
        ..Asked::nothing(provider)
    };
    if asked.key.is_none() && !profile.key.is_empty() {
        return Err(Refusal::NoKey(asked));
    }
    let missing = |(name, _): &(&String, &ErrorRow)| !received.headers.contains_key(name.as_str());
    if let Some((_, row)) = profile.required_headers.iter().find(missing) {
        return Err(Refusal::NoHeader(asked, row));
    }
    if takes_json(row) {
        match serde_json::from_slice(received.body) {
            Ok(body @ Value::Object(_)) => asked.body = body,
            _ => return Err(Refusal::BadJson(asked)),
        }
        if asked.model.is_empty() {
            asked.model = asked.body["model"].as_str().unwrap_or_default().to_owned();
        }
        asked.stream = row.stream.unwrap_or(row.api.streams() && wants_stream(row.api, &asked.body));
    }
    Ok(asked)
}

/// Ollama's own endpoints stream unless they are told not to.
fn wants_stream(api: Api, body: &Value) -> bool {
    match api {
        Api::OllamaChat | Api::OllamaGenerate => body["stream"] != false,
        _ => body["stream"] == true,
    }
}

fn takes_json(row: &RouteRow) -> bool {
    row.post.is_some() && !matches!(row.api, Api::OpenaiTranscriptions | Api::OpenaiFiles)
}

fn find<'a>(
    rows: &'a [RouteRow],
    method: &str,
    path: &str,
) -> Result<(&'a RouteRow, Option<String>), Refusal> {
    let mut known = false;
    for row in rows {
        for (name, pattern) in [("GET", &row.get), ("POST", &row.post), ("DELETE", &row.delete)] {
            let Some(model) = pattern.as_deref().and_then(|pattern| captured(pattern, path)) else {
                continue;
            };
            if name == method {
                return Ok((row, model));
            }
            known = true;
        }
    }
    Err(if known { Refusal::Method } else { Refusal::NotFound })
}

/// Matches a path with a pattern and returns what `{model}` captured; `None` where it does not match.
fn captured(pattern: &str, path: &str) -> Option<Option<String>> {
    let mut model = None;
    let mut path = path;
    let mut pattern = pattern;
    while let Some((before, after)) = pattern.split_once('{') {
        path = path.strip_prefix(before)?;
        let (name, rest) = after.split_once('}')?;
        // Up to the literal that follows, or to the end of the segment.
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
        if name == "model" {
            let decoded = percent_decoded(&path[..end]);
            model = Some(decoded);
        }
        path = &path[end..];
        pattern = rest;
    }
    (path == pattern).then_some(model)
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
            ("/v1/files/{id}", "/v1/files/file-1", Some(None)),
        ] {
            let captured = captured(pattern, path);
            assert_eq!(captured, model.map(|model| model.map(str::to_owned)), "{pattern} {path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in "[/a{}:é%]{0,20}", pattern in "[/a{}:é]{0,20}") {
            let _ = captured(&pattern, &path);
        }
    }
}
