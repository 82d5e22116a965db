//! How Google frames an error, which depends on how the request wanted its answer.
//!
//! Sources: google-gemini/gemini-cli#4692 and #14831 (in an array where the stream is one),
//! continuedev/continue#10290 (`alt=sse` sends plain JSON under another content type).

use bytes::Bytes;
use serde_json::{Value, json};

use super::carried::{Carried, JSON, pretty};
use crate::{
    observation::Canaries,
    provider::{Form, dialect::Failure, form::Written, request::Asked},
    scenario::{Api, EventForm},
};

/// A prompt that is refused: no error to HTTP, but an answer without candidates.
pub(in crate::provider) fn blocked(reason: &Value, message: &str, canaries: &Canaries) -> Value {
    json!({
        "promptFeedback": {"blockReason": reason, "blockReasonMessage": message},
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
        "responseId": canaries.request_id,
    })
}

/// The page of Google's front end, as far as anybody reads it; its text is recalled.
pub(in crate::provider) fn page(title: &str, canaries: &Canaries) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error {title}!!1</title>\n  \
         <p><b>{}.</b> <ins>That’s an error.</ins>\n  <p>{} <ins>That’s all we know.</ins>\n",
        title.split(' ').next().unwrap_or_default(),
        canaries.message
    )
}

/// Frames a whole body that Google sends in place of an answer.
pub(in crate::provider) fn framed(form: Form, asked: &Asked, written: Written) -> Written {
    if !matches!(form, Form::Google | Form::GoogleBlocked) {
        return written;
    }
    let Ok(value) = serde_json::from_str::<Value>(&written.text) else { return written };
    let carried = match asked.api {
        Some(Api::GeminiGenerate) => Carried::of(asked),
        // The routes that speak OpenAI's dialect wrap their errors likewise.
        Some(api) if api.native_provider() == crate::scenario::Provider::Openai => Carried::Array,
        _ => Carried::Whole,
    };
    let (content_type, text) = match carried {
        Carried::Events if form == Form::GoogleBlocked => {
            ("text/event-stream", format!("data: {value}\r\n\r\n"))
        }
        Carried::Events => ("text/event-stream", pretty(&value)),
        Carried::Array => (JSON, pretty(&json!([value]))),
        Carried::Whole => (JSON, pretty(&value)),
    };
    Written { content_type: Some(content_type), text, ..written }
}

/// An error in place of the next chunk. In an array it is taken to follow another element, and
/// closes the array.
pub(super) fn event(failure: &Failure<'_>, form: Option<EventForm>) -> Bytes {
    let error = match failure.row.form {
        // Once the model has begun it is no longer the prompt that is refused, but the answer.
        Some(Form::GoogleBlocked) => {
            let reason = &failure.row.kind;
            &json!({"candidates": [{"finishReason": reason, "finishMessage": failure.text, "index": 0}]})
        }
        _ => &failure.error,
    };
    match (form, Carried::of(failure.asked)) {
        (Some(EventForm::Bare), _) => pretty(error),
        (Some(EventForm::Named), _) => format!("event: error\r\ndata: {error}\r\n\r\n"),
        (_, Carried::Array) => format!(",\r\n{}]\n", pretty(error)),
        _ => format!("data: {error}\r\n\r\n"),
    }
    .into()
}
