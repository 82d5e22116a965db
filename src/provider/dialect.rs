//! The provider's side of a request, whoever the provider is.

use bytes::Bytes;
use serde_json::Value;

use super::{
    canned::{fill, literal},
    catalogue::ErrorRow,
    message::Message,
    openai, openai_errors,
};
use crate::{
    observation::Canaries,
    scenario::{Answer, Api, Combination, ErrorName, Malform, Provider, Reply, Turn},
};

/// The largest request body that a mock takes; a larger one gets the provider's own 413.
pub const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// What a turn says before its faults: its reply, error or literal, with its headers laid over.
pub fn message(combination: Combination, turn: &Turn, request_body: &Value, canaries: &Canaries) -> Message {
    let mut message = match &turn.answer {
        Answer::Reply(kind) => reply(combination, kind, request_body, canaries),
        Answer::Error(name) => error(combination.provider, *name, canaries, request_body),
        Answer::Literal { status, body } => literal(*status, body, canaries),
    };
    // The two say the same in different units; a scenario that changes one does not mean to leave
    // them contradicting each other.
    if turn.headers.contains_key("retry-after") {
        message.set_header("retry-after-ms", None);
    }
    for (name, value) in &turn.headers {
        message.set_header(&name.to_ascii_lowercase(), value.as_deref().map(|value| fill(value, canaries)));
    }
    message
}

/// A successful reply. Whether it is a stream is up to the request (`"stream": true`), for a
/// proxy may ask for something else than its caller did.
pub fn reply(combination: Combination, reply: &Reply, request_body: &Value, canaries: &Canaries) -> Message {
    match combination.provider {
        Provider::Openai => openai::reply(reply, request_body, canaries),
    }
}

/// The pieces of content that a reply consists of: together they are its text, and a stream sends
/// exactly one event of content for each. Empty for a tool call.
pub fn content_pieces(reply: &Reply, canaries: &Canaries) -> Vec<String> {
    let n = match reply {
        Reply::Ok => 5,
        Reply::Chunks(n) => (*n).max(1),
        Reply::ToolCall => return Vec::new(),
    };
    (1..=n)
        .map(|i| match i {
            1 => format!("[1] {} ", canaries.content),
            i if i == n => format!("[{i}]"),
            i => format!("[{i}] "),
        })
        .collect()
}

/// The pieces of a tool call's arguments: together they are one JSON object, and a stream sends
/// exactly one event for each.
pub fn tool_argument_pieces(canaries: &Canaries) -> Vec<String> {
    let note = &canaries.content;
    vec!["{\"city\":".into(), "\"Paris\",".into(), "\"note\":\"".into(), note.clone(), "\"}".into()]
}

/// An error in the provider's own form: its status, body and headers.
pub fn error(provider: Provider, name: ErrorName, canaries: &Canaries, request_body: &Value) -> Message {
    match provider {
        Provider::Openai => openai::error(catalogue_row(provider, name), canaries, request_body),
    }
}

/// An error as an event of a stream that has begun.
pub fn error_event(provider: Provider, name: ErrorName, canaries: &Canaries) -> Bytes {
    match provider {
        Provider::Openai => openai::error_event(catalogue_row(provider, name), canaries),
    }
}

/// A reply under status 200 that is no answer.
pub fn malformed(provider: Provider, malform: Malform, canaries: &Canaries) -> Message {
    match provider {
        Provider::Openai => openai::malformed(malform, canaries),
    }
}

/// Which API a path below a deployment's base is (`/v1/chat/completions`).
///
/// # Errors
/// The provider's own reply to a path or a method that it does not know.
pub fn route(provider: Provider, method: &str, path: &str) -> Result<Api, Message> {
    match provider {
        Provider::Openai => openai::route(method, path),
    }
}

/// Reads a request as the provider would before it thinks about an answer.
///
/// # Errors
/// The provider's own reply to a missing key, or to a body that is no JSON object.
pub fn admit(
    provider: Provider,
    authorization: Option<&str>,
    body: &[u8],
    canaries: &Canaries,
) -> Result<Value, Message> {
    match provider {
        Provider::Openai => openai::admit(authorization, body, canaries),
    }
}

/// The provider's own reply to a body above [`MAX_REQUEST_BYTES`].
pub fn too_large(provider: Provider, canaries: &Canaries) -> Message {
    error(provider, ErrorName::TooLarge, canaries, &Value::Null)
}

/// What a base URL as the provider's SDK takes it ends in: `/v1` for openai.
pub const fn base_path(provider: Provider) -> &'static str {
    match provider {
        Provider::Openai => "/v1",
    }
}

/// A provider's row for an error: type, code and param as it sends them, and what the row rests on.
pub fn catalogue_row(provider: Provider, name: ErrorName) -> &'static ErrorRow {
    let rows = match provider {
        Provider::Openai => &openai_errors::ROWS,
    };
    // A test holds the rows in the order of the names.
    &rows[name as usize]
}
