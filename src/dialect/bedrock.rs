//! `bedrock/converse` and `bedrock/invoke`. The latter uses the model's own dialect, here Anthropic's, in base64 inside
//! its `chunk` events.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    anthropic,
    error::text,
    error_form::ErrorForm,
    parsed::{ChunkContent, Completion, ErrorObject, StreamEvent, Vocabulary},
    request_body::{PROMPT, RequestBody, messages},
    row::{ApiRow, ErrorEventForm, ResponseReader, SampleEvent, StreamRow},
};
use crate::wire::frames::Carrier;

pub(super) static CONVERSE: ApiRow = ApiRow {
    path: "/model/{model}/converse",
    stream_path: Some("/model/{model}/converse-stream"),
    headers: &[],
    request: || RequestBody::json(json!({"messages": [{"role": "user", "content": [{"text": PROMPT}]}]})),
    response: ResponseReader::Json(completion),
    errors: ErrorForm::Aws,
    stream: Some(StreamRow {
        event: converse,
        finish: &[
            SampleEvent(Some("messageStop"), r#"{"stopReason":"end_turn"}"#),
            SampleEvent(
                Some("metadata"),
                r#"{"usage":{"inputTokens":0,"outputTokens":0,"totalTokens":0},"metrics":{"latencyMs":0}}"#,
            ),
        ],
        ..STREAM
    }),
};

pub(super) static INVOKE: ApiRow = ApiRow {
    path: "/model/{model}/invoke",
    stream_path: Some("/model/{model}/invoke-with-response-stream"),
    headers: &[],
    request: || {
        RequestBody::json(json!({
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 64,
            "messages": messages(),
        }))
    },
    response: ResponseReader::Json(anthropic::completion),
    errors: ErrorForm::Aws,
    stream: Some(StreamRow {
        event: invoke,
        // `message_delta` and `message_stop` of Anthropic.
        finish: &[SampleEvent(
            Some("chunk"),
            r#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9kZWx0YSIsImRlbHRhIjp7InN0b3BfcmVhc29uIjoiZW5kX3R1cm4iLCJzdG9wX3NlcXVlbmNlIjpudWxsfSwidXNhZ2UiOnsib3V0cHV0X3Rva2VucyI6MH19"}"#,
        )],
        terminator: Some(SampleEvent(Some("chunk"), r#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0="}"#)),
        awaited_terminator: Some("message_stop"),
        ..STREAM
    }),
};

const STREAM: StreamRow =
    StreamRow { carrier: Carrier::Aws, error_event: ErrorEventForm::Exception, ..StreamRow::SSE };

/// Parses one event of a Converse stream.
fn converse(name: Option<&str>, data: &str) -> StreamEvent {
    if let Some(error) = exception(name, data) {
        return StreamEvent::Error(error);
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return StreamEvent::Odd(data.to_owned());
    };
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    match name {
        Some("contentBlockStart" | "contentBlockDelta") => {
            StreamEvent::chunk(ChunkContent::of(text("/delta/text").unwrap_or_default(), &value), None)
        }
        Some("messageStop") => {
            StreamEvent::chunk(ChunkContent::default(), text("/stopReason").map(str::to_owned))
        }
        Some("messageStart" | "contentBlockStop" | "metadata") => StreamEvent::nothing(),
        _ => StreamEvent::Odd(data.to_owned()),
    }
}

/// Parses one event of an Invoke stream.
fn invoke(name: Option<&str>, data: &str) -> StreamEvent {
    if let Some(error) = exception(name, data) {
        return StreamEvent::Error(error);
    }
    let chunk = || {
        let inner: Value = serde_json::from_str(&inner_event(&serde_json::from_str(data).ok()?)?).ok()?;
        anthropic::typed(inner.get("type")?.as_str()?, &inner)
    };
    chunk().unwrap_or_else(|| StreamEvent::Odd(data.to_owned()))
}

/// The data of the model's own event, which an event of an Invoke stream contains in base64.
pub(crate) fn inner_event(value: &Value) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(value.get("bytes")?.as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

/// The type of an exception (`exception:TYPE`), or the code of an error of the event stream itself (`error:CODE`),
/// from the name of the event.
pub(crate) fn exception_type(name: &str) -> Option<&str> {
    name.strip_prefix("exception:").or_else(|| name.strip_prefix("error:"))
}

/// Parses an exception, or an error of the event stream itself.
fn exception(name: Option<&str>, data: &str) -> Option<ErrorObject> {
    let name = name?;
    let kind = exception_type(name)?;
    let payload = serde_json::from_str::<Value>(data).unwrap_or_else(|_| Value::from(data));
    let message = payload.get("message").or_else(|| payload.get("Message")).unwrap_or(&payload);
    Some(ErrorObject {
        message: text(message),
        kind: kind.into(),
        family: Vocabulary::Aws,
        raw: json!({ name: payload }),
        ..ErrorObject::default()
    })
}

/// Parses a complete Converse response; `None` if `value` is not one.
fn completion(value: &Value) -> Option<Completion> {
    let blocks = value.pointer("/output/message/content")?.as_array()?;
    let mut said = String::new();
    for block in blocks {
        said.push_str(block.get("text").and_then(Value::as_str).unwrap_or_default());
    }
    let finish = value.get("stopReason").and_then(Value::as_str).map(str::to_owned);
    Some(Completion::whole(ChunkContent::of(said, value), finish))
}
