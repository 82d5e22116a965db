//! Errors in a stream that has begun, where a provider writes them otherwise than in a body.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    canned::fill,
    catalogue::ErrorRow,
    dialect::model_asked,
    profile::{Profile, StreamError},
    request::RequestedCall,
};
use crate::{observation::Canaries, scenario::Api};

/// What a profile says of the streams of `api`; of other endpoints than these it says nothing.
pub(super) fn of(profile: &Profile, api: Api) -> Option<&StreamError> {
    matches!(api, Api::OpenaiChat | Api::OpenaiCompletions).then_some(profile.stream_error.as_ref()).flatten()
}

/// The event's JSON.
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

/// The event, and what the server sends behind it all the same.
pub(super) fn ended(event: Option<&StreamError>, bytes: Bytes) -> Bytes {
    match event {
        Some(event) if event.done => [&bytes[..], b"data: [DONE]\n\n"].concat().into(),
        _ => bytes,
    }
}
