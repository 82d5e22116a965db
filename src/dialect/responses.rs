//! `openai/responses`: typed events; the last one repeats the complete response.

use serde_json::{Value, json};

use super::{
    error::{nested, text},
    error_form::ErrorForm,
    parsed::{ChunkContent, Completion, ErrorObject, StreamEvent, Vocabulary},
    request_body::{PROMPT, RequestBody},
    row::{ApiRow, ErrorEventForm, ResponseReader, SampleEvent, StreamRow},
};

pub(super) static RESPONSES: ApiRow = ApiRow {
    path: "/v1/responses",
    stream_path: None,
    headers: &[],
    request: || RequestBody::json(json!({ "input": PROMPT })),
    response: ResponseReader::Json(completion),
    errors: ErrorForm::Openai,
    stream: Some(StreamRow {
        is_typed: true,
        event,
        error_event: ErrorEventForm::Typed,
        finish: &[SampleEvent(
            Some("response.completed"),
            r#"{"type":"response.completed","sequence_number":0,"response":{"id":"resp_0","object":"response","created_at":0,"status":"completed","error":null,"incomplete_details":null,"model":"unknown","output":[]}}"#,
        )],
        ends_with_finish: true,
        ..StreamRow::SSE
    }),
};

/// Parses one event of a stream. An error is nested as in recordings, or flat as in the published schema. A
/// `response.failed`, which follows an error event, counts as an error as well.
fn event(name: Option<&str>, data: &str) -> StreamEvent {
    if data.trim() == "[DONE]" {
        return StreamEvent::Done;
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return StreamEvent::Odd(data.to_owned());
    };
    let kind = value.get("type").and_then(Value::as_str).or(name).unwrap_or_default();
    let delta = || value.get("delta").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "response.output_text.delta" | "response.refusal.delta" => {
            StreamEvent::chunk(ChunkContent::text(delta()), None)
        }
        "response.function_call_arguments.delta"
        | "response.output_item.added"
        | "response.reasoning_text.delta"
        | "response.reasoning_summary_text.delta" => {
            let mut typed = value.clone();
            typed["type"] = kind.into();
            StreamEvent::chunk(ChunkContent::of("", &typed), None)
        }
        "response.completed" => StreamEvent::finish("completed"),
        "response.incomplete" => StreamEvent::finish(incomplete(&value["response"])),
        "response.failed" => StreamEvent::Error(failed(&value)),
        "error" => match nested(&value) {
            Some(error) => StreamEvent::Error(ErrorObject { family: Vocabulary::OpenAi, ..error }),
            None => StreamEvent::Error(flat(&value)),
        },
        _ => match nested(&value) {
            Some(error) => StreamEvent::Error(error),
            None if kind.starts_with("response.") => StreamEvent::nothing(),
            None => StreamEvent::Odd(data.to_owned()),
        },
    }
}

/// Whether this is the event that ends a failed response after its error event.
pub(super) fn closes(data: &str) -> bool {
    serde_json::from_str::<Value>(data).is_ok_and(|value| value["type"] == "response.failed")
}

fn failed(value: &Value) -> ErrorObject {
    let error = &value["response"]["error"];
    ErrorObject {
        message: error.get("message").map(text).unwrap_or_default(),
        code: error["code"].clone(),
        family: Vocabulary::OpenAi,
        raw: value.clone(),
        ..ErrorObject::default()
    }
}

fn flat(value: &Value) -> ErrorObject {
    ErrorObject {
        message: value.get("message").map(text).unwrap_or_default(),
        code: value["code"].clone(),
        param: value["param"].clone(),
        family: Vocabulary::OpenAi,
        raw: value.clone(),
        ..ErrorObject::default()
    }
}

fn incomplete(response: &Value) -> String {
    response["incomplete_details"]["reason"].as_str().unwrap_or("incomplete").to_owned()
}

/// Parses a complete response; `None` if `value` is not one, or if the response failed.
fn completion(value: &Value) -> Option<Completion> {
    let output = value.get("output")?.as_array()?;
    let status = value.get("status").and_then(Value::as_str);
    if matches!(status, Some("failed")) {
        return None;
    }
    let mut said = String::new();
    for item in output {
        if item.get("type").is_some_and(|kind| kind == "reasoning") {
            continue;
        }
        for part in item.get("content").and_then(Value::as_array).into_iter().flatten() {
            let part = part.get("text").or_else(|| part.get("refusal"));
            said.push_str(part.and_then(Value::as_str).unwrap_or_default());
        }
    }
    let finish = match status {
        Some("incomplete") => Some(incomplete(value)),
        other => other.map(str::to_owned),
    };
    Some(Completion::whole(ChunkContent::of(said, value), finish))
}
