//! `ollama/chat` and `ollama/generate`: lines of JSON; the last one contains `"done": true`.

use serde_json::{Value, json};

use super::{
    error::nested,
    error_form::ErrorForm,
    parsed::{ChunkContent, Completion, StreamEvent},
    request_body::{PROMPT, RequestBody, messages},
    row::{ApiRow, ResponseReader, SampleEvent, StreamRow},
};
use crate::wire::frames::Carrier;

pub(super) static CHAT: ApiRow = ApiRow {
    path: "/api/chat",
    stream_path: None,
    headers: &[],
    request: || RequestBody::json(json!({"messages": messages()})),
    response: ResponseReader::Json(completion),
    errors: ErrorForm::Ollama,
    stream: Some(STREAM),
};

pub(super) static GENERATE: ApiRow = ApiRow {
    path: "/api/generate",
    stream_path: None,
    headers: &[],
    request: || RequestBody::json(json!({ "prompt": PROMPT })),
    response: ResponseReader::Json(completion),
    errors: ErrorForm::Ollama,
    stream: Some(StreamRow {
        finish: &[SampleEvent(
            None,
            r#"{"model":"unknown","created_at":"1970-01-01T00:00:00Z","response":"","done":true,"done_reason":"stop"}"#,
        )],
        ..STREAM
    }),
};

const STREAM: StreamRow = StreamRow {
    carrier: Carrier::Ndjson,
    is_default: true,
    event: |_, data| event(data),
    finish: &[SampleEvent(
        None,
        r#"{"model":"unknown","created_at":"1970-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#,
    )],
    ends_with_finish: true,
    ..StreamRow::SSE
};

/// Parses one line of a stream.
fn event(data: &str) -> StreamEvent {
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return StreamEvent::Odd(data.to_owned());
    };
    if let Some(error) = nested(&value) {
        return StreamEvent::Error(error);
    }
    match read(&value) {
        Some((content, finish)) => StreamEvent::chunk(content, finish),
        None => StreamEvent::Odd(data.to_owned()),
    }
}

/// Parses a complete response; `None` if `value` is not one.
fn completion(value: &Value) -> Option<Completion> {
    read(value).map(|(content, finish)| Completion::whole(content, finish))
}

/// Parses a complete response, or one line of a stream; `None` if `value` is neither.
fn read(value: &Value) -> Option<(ChunkContent, Option<String>)> {
    let done = value.get("done")?.as_bool()?;
    let text = match value.get("message") {
        Some(message) => message.get("content").and_then(Value::as_str).unwrap_or_default(),
        None => value.get("response")?.as_str()?,
    };
    let reason = value.get("done_reason").and_then(Value::as_str).unwrap_or("stop");
    Some((ChunkContent::of(text, value), done.then(|| reason.to_owned())))
}
