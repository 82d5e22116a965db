//! `anthropic/messages` and `anthropic/count_tokens`.

use serde_json::Value;

use super::{
    error::nested,
    parsed::{Completion, StreamEvent},
};

/// Parses one event of a stream. The SDKs read only the `event:` line, so a frame without one is not an event of this
/// dialect, whatever its data contains.
pub(super) fn event(name: Option<&str>, data: &str) -> StreamEvent {
    match (name, serde_json::from_str::<Value>(data)) {
        (Some(name), Ok(value)) => typed(name, &value).unwrap_or_else(|| StreamEvent::Odd(data.to_owned())),
        (Some("ping"), _) => StreamEvent::NOTHING,
        _ => StreamEvent::Odd(data.to_owned()),
    }
}

/// Parses an event of this type; `None` if the type is not part of the dialect.
pub(super) fn typed(kind: &str, value: &Value) -> Option<StreamEvent> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    Some(match kind {
        "content_block_delta" => {
            let piece = text("/delta/text").or_else(|| text("/delta/partial_json"));
            StreamEvent::piece(piece.unwrap_or_default())
        }
        "content_block_start" => StreamEvent::piece(text("/content_block/text").unwrap_or_default()),
        "message_delta" => {
            StreamEvent::Chunk { piece: None, finish: text("/delta/stop_reason").map(str::to_owned) }
        }
        "message_stop" => StreamEvent::Done,
        "message_start" | "content_block_stop" | "ping" => StreamEvent::NOTHING,
        "error" => StreamEvent::Error(nested(value)?),
        _ => return None,
    })
}

/// Parses a complete message; `None` if `value` is not one.
pub(super) fn completion(value: &Value) -> Option<Completion> {
    let blocks = value.get("content")?.as_array()?;
    let mut said = String::new();
    for block in blocks {
        if let Some(text) = block.get("text").and_then(Value::as_str) {
            said.push_str(text);
        }
        if let Some(input) = block.get("input") {
            said.push_str(&input.to_string());
        }
    }
    let finish = value.get("stop_reason").and_then(Value::as_str).map(str::to_owned);
    Some(Completion::of(said, finish))
}

/// Parses a token count; `None` if `value` is not one.
pub(super) fn count(value: &Value) -> Option<Completion> {
    let count = value.get("input_tokens")?.as_u64()?;
    Some(Completion::of(count.to_string(), None))
}
