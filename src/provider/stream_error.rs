//! Errors in a stream that has begun, for providers whose events differ from their error bodies.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    canned::fill,
    catalogue::ErrorRow,
    profile::{Profile, StreamError},
    request::{RequestedCall, model_asked},
};
use crate::{observation::Canaries, scenario::Api};

/// The profile's error event for streams of `api`; `None` for endpoints to which it does not apply.
pub(super) fn of(profile: &Profile, api: Api) -> Option<&StreamError> {
    matches!(api, Api::OpenaiChat | Api::OpenaiCompletions).then_some(profile.stream_error.as_ref()).flatten()
}

/// Returns the event's JSON.
pub(super) fn data(
    event: &StreamError,
    row: &ErrorRow,
    text: &str,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> Value {
    filled(&event.data, &|name| {
        Some(match name {
            "{{error.message}}" => json!(text),
            "{{error.type}}" => json!(row.kind),
            "{{error.code}}" => row.code.clone(),
            "{{error.param}}" => json!(row.param),
            "{{error.status}}" => json!(row.status),
            "{{model}}" => json!(model_asked(asked)),
            other if other.contains("{{canary.") => json!(fill(other, canaries)),
            _ => return None,
        })
    })
}

fn filled(template: &Value, of: &dyn Fn(&str) -> Option<Value>) -> Value {
    match template {
        Value::String(text) => of(text).unwrap_or_else(|| template.clone()),
        Value::Array(items) => items.iter().map(|item| filled(item, of)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), filled(value, of))).collect())
        }
        other => other.clone(),
    }
}

/// Returns the event, followed by `[DONE]` if the profile says that the server sends it.
pub(super) fn ended(event: Option<&StreamError>, bytes: Bytes) -> Bytes {
    match event {
        Some(event) if event.done => [&bytes[..], b"data: [DONE]\n\n"].concat().into(),
        _ => bytes,
    }
}
