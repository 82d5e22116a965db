//! The format of Google's errors, which depends on the response format that the request asked for.
//!
//! Sources: google-gemini/gemini-cli#4692 and #14831 (in an array if the stream is an array),
//! continuedev/continue#10290 (`alt=sse` sends plain JSON under another content type).

use bytes::Bytes;
use serde_json::{Value, json};

use super::carried::{JSON, StreamFormat, pretty};
use crate::{
    observation::Canaries,
    provider::{
        ErrorBodyForm,
        failure::{ProviderError, WrittenError},
        request::RequestedCall,
    },
    scenario::{Api, EventForm},
};

/// The response to a refused prompt: not an HTTP error, but a response without candidates.
pub(in crate::provider) fn blocked(reason: &Value, message: &str, canaries: &Canaries) -> Value {
    json!({
        "promptFeedback": {"blockReason": reason, "blockReasonMessage": message},
        "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9},
        "responseId": canaries.request_id,
    })
}

/// The page of Google's front end, reduced to the parts that clients read; its text is recalled.
pub(in crate::provider) fn page(title: &str, canaries: &Canaries) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error {title}!!1</title>\n  \
         <p><b>{}.</b> <ins>That’s an error.</ins>\n  <p>{} <ins>That’s all we know.</ins>\n",
        title.split(' ').next().unwrap_or_default(),
        canaries.message
    )
}

/// Converts an error body to the response format of the request.
pub(in crate::provider) fn framed(
    form: ErrorBodyForm,
    asked: &RequestedCall,
    written: WrittenError,
) -> WrittenError {
    if !matches!(form, ErrorBodyForm::Google | ErrorBodyForm::GoogleBlocked) {
        return written;
    }
    let Ok(value) = serde_json::from_str::<Value>(&written.text) else { return written };
    let carried = match asked.api {
        Some(Api::GeminiGenerate) => StreamFormat::of(asked),
        // The routes that use OpenAI's dialect wrap their errors in an array as well.
        Some(api) if api.native_provider() == crate::scenario::Provider::Openai => StreamFormat::Array,
        _ => StreamFormat::Whole,
    };
    let (content_type, text) = match carried {
        StreamFormat::Events if form == ErrorBodyForm::GoogleBlocked => {
            ("text/event-stream", format!("data: {value}\r\n\r\n"))
        }
        StreamFormat::Events => ("text/event-stream", pretty(&value)),
        StreamFormat::Array => (JSON, pretty(&json!([value]))),
        StreamFormat::Whole => (JSON, pretty(&value)),
    };
    WrittenError { content_type: Some(content_type), text, ..written }
}

/// Returns an error in place of the next chunk of a stream. In an array it follows another element and closes
/// the array.
pub(crate) fn event(failure: &ProviderError<'_>, form: Option<EventForm>) -> Bytes {
    let error = match failure.row.form {
        // After the stream has begun, the model's output is refused, not the prompt.
        Some(ErrorBodyForm::GoogleBlocked) => {
            let reason = &failure.row.kind;
            &json!({"candidates": [{"finishReason": reason, "finishMessage": failure.text, "index": 0}]})
        }
        _ => &failure.error,
    };
    match (form, StreamFormat::of(failure.asked)) {
        (Some(EventForm::Bare), _) => pretty(error),
        (Some(EventForm::Named), _) => format!("event: error\r\ndata: {error}\r\n\r\n"),
        (_, StreamFormat::Array) => format!(",\r\n{}]\n", pretty(error)),
        _ => format!("data: {error}\r\n\r\n"),
    }
    .into()
}
