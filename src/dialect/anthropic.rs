//! `anthropic/messages` and `anthropic/count_tokens`.

use serde_json::{Value, json};

use super::{
    error::nested,
    error_form::ErrorForm,
    parsed::{ChunkContent, Completion, StreamEvent},
    request_body::{RequestBody, messages},
    row::{ApiRow, ErrorEventForm, ResponseReader, SampleEvent, StreamRow},
};

const VERSION: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];

pub(super) static MESSAGES: ApiRow = ApiRow {
    path: "/v1/messages",
    stream_path: None,
    headers: VERSION,
    request: || RequestBody::json(json!({"max_tokens": 64, "messages": messages()})),
    response: ResponseReader::Json(completion),
    errors: ErrorForm::Anthropic,
    stream: Some(StreamRow {
        is_typed: true,
        event,
        error_event: ErrorEventForm::Named,
        finish: &[SampleEvent(
            Some("message_delta"),
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":0}}"#,
        )],
        terminator: Some(SampleEvent(Some("message_stop"), r#"{"type":"message_stop"}"#)),
        awaited_terminator: Some("message_stop"),
        ..StreamRow::SSE
    }),
};

pub(super) static COUNT_TOKENS: ApiRow = ApiRow {
    headers: VERSION,
    ..ApiRow::whole(
        "/v1/messages/count_tokens",
        ErrorForm::Anthropic,
        || RequestBody::json(json!({"messages": messages()})),
        ResponseReader::Json(count),
    )
};

/// Parses one event of a stream. The SDKs read only the `event:` line, so a frame without one is not an event of this
/// dialect, whatever its data contains.
fn event(name: Option<&str>, data: &str) -> StreamEvent {
    match (name, serde_json::from_str::<Value>(data)) {
        (Some(name), Ok(value)) => typed(name, &value).unwrap_or_else(|| StreamEvent::Odd(data.to_owned())),
        (Some("ping"), _) => StreamEvent::nothing(),
        _ => StreamEvent::Odd(data.to_owned()),
    }
}

/// Parses an event of this type; `None` if the type is not part of the dialect.
pub(super) fn typed(kind: &str, value: &Value) -> Option<StreamEvent> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    Some(match kind {
        "content_block_delta" => {
            StreamEvent::chunk(ChunkContent::of(text("/delta/text").unwrap_or_default(), value), None)
        }
        "content_block_start" => {
            StreamEvent::chunk(ChunkContent::of(text("/content_block/text").unwrap_or_default(), value), None)
        }
        "message_delta" => {
            StreamEvent::chunk(ChunkContent::default(), text("/delta/stop_reason").map(str::to_owned))
        }
        "message_stop" => StreamEvent::Done,
        "message_start" | "content_block_stop" | "ping" => StreamEvent::nothing(),
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
    }
    let finish = value.get("stop_reason").and_then(Value::as_str).map(str::to_owned);
    Some(Completion::whole(ChunkContent::of(said, value), finish))
}

/// Parses a token count; `None` if `value` is not one.
fn count(value: &Value) -> Option<Completion> {
    let count = value.get("input_tokens")?.as_u64()?;
    Some(Completion::of(count.to_string(), None))
}
