//! `cohere/chat`, `cohere/embed` and `cohere/rerank`.

use serde_json::{Value, json};

use super::{
    error::text,
    error_form::ErrorForm,
    parsed::{ChunkContent, Completion, ErrorObject, StreamEvent},
    payload::embeddings,
    request_body::{PROMPT, QUERY, RequestBody, messages},
    row::{ApiRow, ErrorEventForm, ResponseReader, SampleEvent, StreamRow},
};

pub(super) static CHAT: ApiRow = ApiRow {
    path: "/v2/chat",
    stream_path: None,
    headers: &[],
    request: || RequestBody::json(json!({"messages": messages()})),
    response: ResponseReader::Json(completion),
    errors: ErrorForm::Cohere,
    stream: Some(StreamRow {
        is_typed: true,
        event,
        error_event: ErrorEventForm::MessageEnd,
        finish: &[SampleEvent(
            Some("message-end"),
            r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#,
        )],
        terminator: Some(SampleEvent(None, "[DONE]")),
        ..StreamRow::SSE
    }),
};

pub(super) static EMBED: ApiRow = ApiRow::whole(
    "/v2/embed",
    ErrorForm::Cohere,
    || {
        RequestBody::json(json!({
            "texts": [PROMPT],
            "input_type": "search_document",
            "embedding_types": ["float"],
        }))
    },
    ResponseReader::Json(embeddings),
);

pub(super) static RERANK: ApiRow = ApiRow::whole(
    "/v2/rerank",
    ErrorForm::Cohere,
    || RequestBody::json(json!({"query": QUERY, "documents": ["Hello.", "Goodbye."]})),
    ResponseReader::Json(ranking),
);

/// Parses one event of a stream. A failure has no event of its own: the event that ends the message reports it.
fn event(name: Option<&str>, data: &str) -> StreamEvent {
    if data.trim() == "[DONE]" {
        return StreamEvent::Done;
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return StreamEvent::Odd(data.to_owned());
    };
    let at = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    match value.get("type").and_then(Value::as_str).or(name) {
        Some("content-start" | "content-delta") => {
            let text = at("/delta/message/content/text").unwrap_or_default();
            StreamEvent::chunk(ChunkContent::of(text, &value), None)
        }
        Some("tool-call-start" | "tool-call-delta") => StreamEvent::chunk(ChunkContent::of("", &value), None),
        Some("message-end") => {
            let reason = at("/delta/finish_reason").map(str::to_owned);
            let error = value.pointer("/delta/error").filter(|error| !error.is_null());
            if error.is_some() || reason.as_ref().is_some_and(|reason| reason.starts_with("ERROR")) {
                return StreamEvent::Error(ErrorObject {
                    message: error.map(text).unwrap_or_default(),
                    kind: reason.map(Value::from).unwrap_or_default(),
                    raw: value,
                    ..ErrorObject::default()
                });
            }
            StreamEvent::chunk(ChunkContent::default(), reason)
        }
        Some(
            "message-start" | "content-end" | "tool-plan-delta" | "tool-call-end" | "citation-start"
            | "citation-end" | "debug",
        ) => StreamEvent::nothing(),
        _ => StreamEvent::Odd(data.to_owned()),
    }
}

/// Parses a complete response of `cohere/chat`; `None` if `value` is not one.
fn completion(value: &Value) -> Option<Completion> {
    let message = value.get("message")?.as_object()?;
    let mut said = String::new();
    for block in message.get("content").and_then(Value::as_array).into_iter().flatten() {
        said.push_str(block.get("text").and_then(Value::as_str).unwrap_or_default());
    }
    let finish = value.get("finish_reason").and_then(Value::as_str).map(str::to_owned);
    Some(Completion::whole(ChunkContent::of(said, value), finish))
}

/// Parses a ranking into a line `INDEX SCORE` for each result; `None` if `value` is not one.
fn ranking(value: &Value) -> Option<Completion> {
    let results = value.get("results")?.as_array()?;
    // Read as a number, because `1` and `1.0` are the same score.
    let score = |result: &Value| result.get("relevance_score")?.as_f64();
    let line = |result: &Value| Some(format!("{} {}\n", result.get("index")?, score(result)?));
    Some(Completion::of(results.iter().map(line).collect::<Option<String>>()?, None))
}
