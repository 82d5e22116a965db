//! `gemini/generate`: complete responses and pieces of a stream have the same form. A stream is a sequence of events or
//! one array.

use serde_json::{Value, json};

use super::{
    error::nested,
    error_form::ErrorForm,
    parsed::{ChunkContent, Completion, StreamEvent},
    reasoning::is_thought,
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
        Some((content, finish)) => StreamEvent::chunk(content, finish),
        None if value.get("usageMetadata").is_some() => StreamEvent::nothing(),
        None => StreamEvent::Odd(data.to_owned()),
    }
}

/// Parses a complete response; `None` if `value` is not one.
fn completion(value: &Value) -> Option<Completion> {
    let Value::Array(chunks) = value else {
        return read(value).map(|(content, finish)| Completion::whole(content, finish));
    };
    let mut all = Completion::default();
    for chunk in chunks {
        let (content, finish) = read(chunk)?;
        all.add(content, finish);
    }
    (!chunks.is_empty()).then_some(all)
}

fn read(value: &Value) -> Option<(ChunkContent, Option<String>)> {
    // The response to a blocked prompt has no candidates, and is complete.
    if let Some(reason) = value.pointer("/promptFeedback/blockReason").and_then(Value::as_str) {
        return Some((ChunkContent::default(), Some(reason.to_owned())));
    }
    let candidates = value.get("candidates")?.as_array()?;
    let candidate = candidates.first()?;
    let others = candidates.iter().enumerate().skip(1).map(|(n, candidate)| {
        (candidate.get("index").and_then(Value::as_u64).unwrap_or(n as u64), said(candidate))
    });
    let content =
        ChunkContent { other_choices: others.collect(), ..ChunkContent::of(said(candidate), value) };
    let finish = candidate.get("finishReason").and_then(Value::as_str).map(str::to_owned);
    Some((content, finish))
}

/// The text of a candidate, without the model's reasoning.
fn said(candidate: &Value) -> String {
    let parts = candidate.pointer("/content/parts").and_then(Value::as_array);
    let texts = parts.into_iter().flatten().filter(|part| !is_thought(part));
    texts.filter_map(|part| part.get("text")?.as_str()).collect()
}
