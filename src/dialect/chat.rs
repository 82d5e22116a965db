//! `openai/chat` and its predecessor, `openai/completions`.

use serde_json::{Value, json};

use super::{
    error::nested,
    error_form::ErrorForm,
    parsed::{Completion, StreamEvent},
    request_body::{PROMPT, RequestBody, messages},
    row::{ApiRow, ResponseReader, SampleEvent, StreamRow},
};

pub(super) static CHAT: ApiRow = ApiRow {
    path: "/v1/chat/completions",
    stream_path: None,
    headers: &[],
    request: || RequestBody::json(json!({"messages": messages()})),
    response: ResponseReader::Json(completion),
    errors: ErrorForm::Openai,
    stream: Some(STREAM),
};

pub(super) static COMPLETIONS: ApiRow = ApiRow {
    path: "/v1/completions",
    stream_path: None,
    headers: &[],
    request: || RequestBody::json(json!({ "prompt": PROMPT })),
    response: ResponseReader::Json(legacy),
    errors: ErrorForm::Openai,
    stream: Some(StreamRow {
        finish: &[SampleEvent(
            None,
            r#"{"id":"cmpl-0","object":"text_completion","created":0,"model":"unknown","choices":[{"index":0,"text":"","finish_reason":"stop"}]}"#,
        )],
        ..STREAM
    }),
};

const STREAM: StreamRow = StreamRow {
    event: |_, data| event(data),
    finish: &[SampleEvent(
        None,
        r#"{"id":"chatcmpl-0","object":"chat.completion.chunk","created":0,"model":"unknown","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    )],
    terminator: Some(SampleEvent(None, "[DONE]")),
    awaited_terminator: Some("[DONE]"),
    ..StreamRow::SSE
};

/// Parses the data of one event of a stream.
pub(super) fn event(data: &str) -> StreamEvent {
    if data.trim() == "[DONE]" {
        return StreamEvent::Done;
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return StreamEvent::Odd(data.to_owned());
    };
    if let Some(error) = nested(&value) {
        return StreamEvent::Error(error);
    }
    let Some(choices) = value.get("choices").and_then(Value::as_array) else {
        return StreamEvent::Odd(data.to_owned());
    };
    let choice = choices.first();
    let piece = choice.and_then(|choice| match choice.get("delta") {
        Some(delta) => piece(delta),
        None => text(choice),
    });
    StreamEvent::Chunk { piece, finish: choice.and_then(finish) }
}

/// Parses a complete response of `openai/chat`; `None` if `value` is not one.
fn completion(value: &Value) -> Option<Completion> {
    let choice = value.get("choices")?.as_array()?.first()?;
    let message = choice.get("message")?;
    message
        .is_object()
        .then(|| Completion { pieces: piece(message).into_iter().collect(), finish: finish(choice) })
}

/// Parses a complete response of `openai/completions`; `None` if `value` is not one.
fn legacy(value: &Value) -> Option<Completion> {
    let choice = value.get("choices")?.as_array()?.first()?;
    choice.get("text")?.as_str()?;
    Some(Completion { pieces: text(choice).into_iter().collect(), finish: finish(choice) })
}

fn text(choice: &Value) -> Option<String> {
    choice.get("text").and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn piece(holder: &Value) -> Option<String> {
    if let Some(text) = holder.get("content").and_then(Value::as_str).filter(|text| !text.is_empty()) {
        return Some(text.to_owned());
    }
    holder
        .get("tool_calls")?
        .as_array()?
        .iter()
        .filter_map(|call| call.get("function")?.get("arguments")?.as_str())
        .find(|arguments| !arguments.is_empty())
        .map(str::to_owned)
}

fn finish(choice: &Value) -> Option<String> {
    choice.get("finish_reason").and_then(Value::as_str).map(str::to_owned)
}
