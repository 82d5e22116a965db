//! `gemini/generate`: complete responses and pieces of a stream have the same form. A stream is a sequence of events or
//! one array.

use serde_json::{Value, json};

use super::{
    error::nested,
    error_form::ErrorForm,
    parsed::{Completion, StreamEvent},
    request_body::{PROMPT, RequestBody},
    row::{ApiRow, ResponseReader, SampleEvent, StreamRow},
};

pub(super) static GENERATE: ApiRow = ApiRow {
    path: "/v1beta/models/{model}:generateContent",
    stream_path: Some("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
    headers: &[],
    request: || RequestBody::json(json!({"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]})),
    response: ResponseReader::Json(completion),
    errors: ErrorForm::Google,
    stream: Some(StreamRow {
        event: |_, data| event(data),
        finish: &[SampleEvent(
            None,
            r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}]}"#,
        )],
        ..StreamRow::SSE
    }),
};

/// Parses one event of a stream, or one element of the array that is the stream without `alt=sse`.
fn event(data: &str) -> StreamEvent {
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return StreamEvent::Odd(data.to_owned());
    };
    if let Some(error) = nested(&value) {
        return StreamEvent::Error(error);
    }
    match read(&value) {
        Some((text, finish)) => {
            StreamEvent::Chunk { piece: Some(text).filter(|text| !text.is_empty()), finish }
        }
        None if value.get("usageMetadata").is_some() => StreamEvent::NOTHING,
        None => StreamEvent::Odd(data.to_owned()),
    }
}

/// Parses a complete response; `None` if `value` is not one.
fn completion(value: &Value) -> Option<Completion> {
    let Value::Array(chunks) = value else {
        return read(value).map(|(text, finish)| Completion::of(text, finish));
    };
    let mut all = Completion::default();
    for chunk in chunks {
        let (text, finish) = read(chunk)?;
        all.pieces.extend(Some(text).filter(|text| !text.is_empty()));
        all.finish = finish.or(all.finish);
    }
    (!chunks.is_empty()).then_some(all)
}

fn read(value: &Value) -> Option<(String, Option<String>)> {
    // The response to a blocked prompt has no candidates, and is complete.
    if let Some(reason) = value.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
        return Some((String::new(), Some(reason.to_owned())));
    }
    let candidate = value.get("candidates")?.as_array()?.first()?;
    let parts = candidate.pointer("/content/parts").and_then(Value::as_array);
    let mut said = String::new();
    for part in parts.into_iter().flatten() {
        if part.get("thought").is_some_and(|thought| thought == true) {
            continue;
        }
        said.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default());
        if let Some(arguments) = part.pointer("/functionCall/args") {
            said.push_str(&arguments.to_string());
        }
    }
    let finish = candidate.get("finishReason").and_then(Value::as_str).map(str::to_owned);
    Some((said, finish))
}
