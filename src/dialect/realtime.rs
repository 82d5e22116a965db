//! `openai/realtime`: events of a session. Each is a WebSocket message.

use serde_json::{Value, json};

use super::{
    error::{nested, text},
    error_form::ErrorForm,
    parsed::{ChunkContent, ErrorObject, StreamEvent, Vocabulary},
    request_body::{PROMPT, RequestBody},
    row::{ApiRow, ResponseReader, StreamRow},
};
use crate::wire::frames::Carrier;

pub(super) static REALTIME: ApiRow = ApiRow {
    path: "/v1/realtime",
    stream_path: None,
    headers: &[],
    request: || {
        RequestBody::json(json!({
            "type": "response.create",
            "response": {
                "conversation": "none",
                "output_modalities": ["text"],
                "input": [{
                    "type": "message",
                    "role": "user",
                    "content": [{"type": "input_text", "text": PROMPT}],
                }],
            },
        }))
    },
    response: ResponseReader::None,
    errors: ErrorForm::Openai,
    stream: Some(StreamRow {
        carrier: Carrier::WebSocket,
        is_typed: true,
        event: |_, data| event(data),
        ..StreamRow::SSE
    }),
};

/// Parses one event of a session. `response.done` reports the failure of a response.
fn event(data: &str) -> StreamEvent {
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return StreamEvent::Odd(data.to_owned());
    };
    let delta = || value.get("delta").and_then(Value::as_str).unwrap_or_default();
    match value.get("type").and_then(Value::as_str) {
        Some("error") => match nested(&value) {
            Some(error) => StreamEvent::Error(ErrorObject { family: Vocabulary::OpenAi, ..error }),
            None => StreamEvent::Error(ErrorObject { raw: value, ..ErrorObject::default() }),
        },
        Some("response.output_text.delta" | "response.text.delta") => {
            StreamEvent::chunk(ChunkContent::text(delta()), None)
        }
        Some("response.output_item.added" | "response.function_call_arguments.delta") => {
            StreamEvent::chunk(ChunkContent::of("", &value), None)
        }
        Some("response.done") => done(&value),
        Some(_) => StreamEvent::nothing(),
        None => match nested(&value) {
            Some(error) => StreamEvent::Error(error),
            None => StreamEvent::Odd(data.to_owned()),
        },
    }
}

fn done(value: &Value) -> StreamEvent {
    let response = &value["response"];
    let details = &response["status_details"];
    match response["status"].as_str() {
        Some("failed") => {
            let error = &details["error"];
            StreamEvent::Error(ErrorObject {
                message: error.get("message").map(text).unwrap_or_default(),
                kind: error["type"].clone(),
                code: error["code"].clone(),
                family: Vocabulary::OpenAi,
                raw: value.clone(),
                ..ErrorObject::default()
            })
        }
        Some("completed") => StreamEvent::finish("completed"),
        other => StreamEvent::finish(details["reason"].as_str().or(other).unwrap_or("unknown")),
    }
}
