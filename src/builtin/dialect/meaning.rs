//! The meaning of one frame of an upstream's stream.

use serde_json::{Value, json};

use super::{DialectError, ErrorForm};
use crate::{
    builtin::envelope::{self, ErrorMembers},
    dialect::{self, ErrorEventForm, StreamEvent, row},
    scenario::Api,
    wire::frames::{Carrier, Frame},
};

/// The meaning of a frame.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FrameMeaning {
    /// A part of the response.
    Part {
        /// Each choice in the frame, and whether the frame contains the reason for which that choice ended.
        /// Dialects without choices have only choice 0.
        choices: Vec<(u64, bool)>,
        /// Whether the frame contains text or a part of a tool call.
        has_content: bool,
    },
    /// An error instead of a part.
    Error(DialectError),
    /// The terminator of the dialect.
    Done {
        /// Whether the terminator alone shows that the response is complete.
        is_whole: bool,
    },
    /// A frame that the dialect does not define.
    Broken,
}

/// Reads one frame of a stream of `api`. Frames of types that the dialect does not define are parts without
/// content, because its clients ignore them.
pub(crate) fn meaning(api: Api, frame: &Frame) -> FrameMeaning {
    if frame.data.trim() == "[DONE]" {
        return FrameMeaning::Done { is_whole: false };
    }
    let value: Value = serde_json::from_str(&frame.data).unwrap_or_default();
    let is_typed = row(api).stream.as_ref().is_some_and(|stream| stream.is_typed);
    if frame.event.as_deref() == Some("error")
        || value.get("error").is_some_and(|error| !error.is_null())
        || is_typed && value["type"] == "error"
        || has_bare_error(api, &value)
    {
        return error(api, frame);
    }
    let kind = value["type"].as_str().filter(|_| is_typed).or(frame.event.as_deref());
    match dialect::event(api, kind, &frame.data) {
        StreamEvent::Done => FrameMeaning::Done { is_whole: false },
        StreamEvent::Error(_) => FrameMeaning::Error(typed_error(api, frame, &value)),
        StreamEvent::Chunk { content, finish } => {
            let is_last = row(api).stream.as_ref().is_some_and(|stream| stream.ends_with_finish);
            // AWS sends this event after the one that finishes the response.
            let is_metadata = row(api).error_event() == ErrorEventForm::Exception && kind == Some("metadata");
            match finish {
                Some(_) if is_last => FrameMeaning::Done { is_whole: true },
                None if is_metadata => FrameMeaning::Done { is_whole: false },
                finish => part(&value, finish.is_some(), content.has_content()),
            }
        }
        // A type is what shows that data belongs to such a dialect.
        StreamEvent::Odd(_) if (is_typed || dialect::carrier(api) == Carrier::Aws) && kind.is_none() => {
            FrameMeaning::Broken
        }
        StreamEvent::Odd(_) if value.is_object() && !is_unreadable(&value) => part(&value, false, false),
        StreamEvent::Odd(_) => FrameMeaning::Broken,
    }
}

/// Whether a frame is an error without an error object. Some providers of OpenAI's dialect send the error's members
/// at the top level. In a list of chunks, Google sends errors in a list too.
fn has_bare_error(api: Api, value: &Value) -> bool {
    match (ErrorForm::of(api), row(api).error_event()) {
        (ErrorForm::Openai, ErrorEventForm::Body) => {
            value.get("choices").is_none()
                && (value["message"].is_string() || value["detail"].is_string() || value["detail"].is_array())
        }
        (ErrorForm::Google, _) => {
            value.is_array() && DialectError::of_value(ErrorForm::Google, value).is_some()
        }
        _ => false,
    }
}

/// Whether it is an event of Bedrock's Invoke API whose inner event is not JSON in base64.
fn is_unreadable(value: &Value) -> bool {
    let is_json = |data: String| serde_json::from_str::<serde::de::IgnoredAny>(&data).is_ok();
    value.get("bytes").is_some() && !dialect::inner_event(value).is_some_and(is_json)
}

/// Whether an error frame has the form that callers of `api` understand, so that it may pass unchanged.
pub(crate) fn passes_unchanged(api: Api, frame: &Frame) -> bool {
    let named = frame.event.as_deref() == Some("error");
    let value: Value = serde_json::from_str(&frame.data).unwrap_or_default();
    let form = ErrorForm::of(api);
    let has_form = || value.is_object() && DialectError::of_value(form, &value).is_some();
    match row(api).error_event() {
        ErrorEventForm::Body if form == ErrorForm::Openai => {
            value.pointer("/error/message").is_some_and(Value::is_string)
        }
        ErrorEventForm::Body => has_form(),
        ErrorEventForm::Named => named && has_form(),
        ErrorEventForm::Typed => named || matches!(value["type"].as_str(), Some("error" | "response.failed")),
        ErrorEventForm::Exception => true,
        ErrorEventForm::MessageEnd => value["type"] == "message-end",
    }
}

/// A part of the response. Only chunks of OpenAI's dialect contain several choices.
fn part(value: &Value, finished: bool, has_content: bool) -> FrameMeaning {
    let Some(choices) = value.get("choices").and_then(Value::as_array) else {
        return FrameMeaning::Part { choices: vec![(0, finished)], has_content };
    };
    let choice = |choice: &Value| {
        let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
        (index, choice.get("finish_reason").is_some_and(|reason| !reason.is_null()))
    };
    FrameMeaning::Part { choices: choices.iter().map(choice).collect(), has_content }
}

fn error(api: Api, frame: &Frame) -> FrameMeaning {
    FrameMeaning::Error(DialectError::of_body(ErrorForm::of(api), frame.data.as_bytes(), 200))
}

/// The error in an event that is an error by its type or its name.
fn typed_error(api: Api, frame: &Frame, value: &Value) -> DialectError {
    match row(api).error_event() {
        ErrorEventForm::Exception => exception(frame, value),
        ErrorEventForm::MessageEnd => {
            let text = value.pointer("/delta/error").and_then(Value::as_str);
            let text = text.unwrap_or("The upstream ended the message with an error.");
            let error = ErrorMembers::from_iter([("message".to_owned(), json!(text))]);
            DialectError { form: ErrorForm::Cohere, error, around: ErrorMembers::new() }
        }
        ErrorEventForm::Typed | ErrorEventForm::Named | ErrorEventForm::Body => {
            let error = value.pointer("/response/error").filter(|error| error.is_object());
            let body = json!({ "error": error.unwrap_or(value) }).to_string();
            DialectError::of_body(ErrorForm::of(api), body.as_bytes(), 200)
        }
    }
}

fn exception(frame: &Frame, value: &Value) -> DialectError {
    let mut error = DialectError::of_value(ErrorForm::Aws, value).unwrap_or_else(|| {
        let name = frame.event.as_deref().and_then(dialect::exception_type).unwrap_or_default();
        let text = format!("The upstream's stream ended with {name}.");
        DialectError::openai(envelope::error(text, envelope::UPSTREAM_ERROR, None))
            .into_form(ErrorForm::Aws, 502)
    });
    error.around.clear();
    error.error.retain(|_, value| !value.is_null());
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(api: Api, event: Option<&str>, data: &str) -> FrameMeaning {
        meaning(api, &Frame { event: event.map(str::to_owned), data: data.to_owned() })
    }

    fn kind(api: Api, event: Option<&str>, data: &str) -> &'static str {
        match read(api, event, data) {
            FrameMeaning::Part { choices, .. } if choices.iter().any(|choice| choice.1) => "finish",
            FrameMeaning::Part { has_content: true, .. } => "content",
            FrameMeaning::Part { .. } => "other",
            FrameMeaning::Error(_) => "error",
            FrameMeaning::Done { is_whole: true } => "whole",
            FrameMeaning::Done { .. } => "done",
            FrameMeaning::Broken => "broken",
        }
    }

    #[test]
    fn content_finish_error_and_end_are_recognised_in_each_dialect() {
        use Api::*;
        let chunk = r#"{"bytes":"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImRlbHRhIjp7InRleHQiOiJhIn19"}"#;
        let stop = r#"{"bytes":"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0="}"#;
        for (api, event, data, expected) in [
            (
                OpenaiCompletions,
                None,
                r#"{"choices":[{"index":0,"text":"a","finish_reason":null}]}"#,
                "content",
            ),
            (OpenaiCompletions, None, "[DONE]", "done"),
            (OpenaiChat, None, r#"{"detail":[{"msg":"m"}]}"#, "error"),
            (OpenaiChat, None, r#"{"object":"error","message":"m","type":"t"}"#, "error"),
            (OpenaiChat, None, r#"{"choices":[],"usage":{}}"#, "other"),
            (OpenaiResponses, Some("response.created"), r#"{"type":"response.created"}"#, "other"),
            (OpenaiResponses, None, r#"{"type":"response.output_text.delta","delta":"a"}"#, "content"),
            (OpenaiResponses, None, r#"{"type":"response.completed","response":{"error":null}}"#, "whole"),
            (
                OpenaiResponses,
                None,
                r#"{"type":"response.failed","response":{"error":{"message":"m"}}}"#,
                "error",
            ),
            (OpenaiResponses, Some("error"), r#"{"type":"error","error":{"message":"m"}}"#, "error"),
            (OpenaiResponses, None, r#"{"type":"error","message":"m","code":"c"}"#, "error"),
            (AnthropicMessages, Some("ping"), r#"{"type":"ping"}"#, "other"),
            (AnthropicMessages, None, r#"{"type":"content_block_delta","delta":{"text":"a"}}"#, "content"),
            (
                AnthropicMessages,
                None,
                r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
                "finish",
            ),
            (AnthropicMessages, None, r#"{"type":"message_stop"}"#, "done"),
            (AnthropicMessages, None, r#"{"type":"error","error":{"type":"t","message":"m"}}"#, "error"),
            (AnthropicMessages, Some("message_start"), r#"{"type":"messa"#, "broken"),
            (GeminiGenerate, None, r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#, "content"),
            (GeminiGenerate, None, r#"{"candidates":[{"finishReason":"STOP"}]}"#, "finish"),
            (GeminiGenerate, None, r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#, "error"),
            (GeminiGenerate, None, r#"[{"error":{"code":503,"message":"m"}}]"#, "error"),
            (BedrockConverse, Some("messageStart"), r#"{"role":"assistant"}"#, "other"),
            (BedrockConverse, Some("contentBlockDelta"), r#"{"delta":{"text":"a"}}"#, "content"),
            (BedrockConverse, Some("messageStop"), r#"{"stopReason":"end_turn"}"#, "finish"),
            (BedrockConverse, Some("metadata"), "{}", "done"),
            (BedrockConverse, Some("exception:throttlingException"), r#"{"message":"m"}"#, "error"),
            (BedrockConverse, Some("error:InternalError"), "", "error"),
            (BedrockConverse, None, "", "broken"),
            (BedrockInvoke, Some("chunk"), chunk, "content"),
            (BedrockInvoke, Some("chunk"), stop, "done"),
            (BedrockInvoke, Some("chunk"), r#"{"bytes":"?"}"#, "broken"),
            (
                CohereChat,
                Some("content-delta"),
                r#"{"type":"content-delta","delta":{"message":{"content":{"text":"a"}}}}"#,
                "content",
            ),
            (CohereChat, None, r#"{"type":"message-end","delta":{"finish_reason":"COMPLETE"}}"#, "finish"),
            (
                CohereChat,
                None,
                r#"{"type":"message-end","delta":{"finish_reason":"ERROR","error":"m"}}"#,
                "error",
            ),
            (CohereChat, None, "[DONE]", "done"),
            (OllamaChat, None, r#"{"message":{"content":"a"},"done":false}"#, "content"),
            (OllamaGenerate, None, r#"{"response":"","done":true}"#, "whole"),
            (OllamaGenerate, None, r#"{"error":"m"}"#, "error"),
        ] {
            assert_eq!(kind(api, event, data), expected, "{api}: {event:?} {data}");
        }
    }

    #[test]
    fn the_text_of_an_error_is_found_in_every_form() {
        use Api::*;
        for (api, event, data) in [
            (OpenaiResponses, None, r#"{"type":"error","message":"m","code":"c"}"#),
            (
                OpenaiResponses,
                None,
                r#"{"type":"response.failed","response":{"error":{"code":"c","message":"m"}}}"#,
            ),
            (AnthropicMessages, Some("error"), r#"{"type":"error","error":{"type":"t","message":"m"}}"#),
            (BedrockConverse, Some("exception:validationException"), r#"{"message":"m"}"#),
            (CohereChat, None, r#"{"type":"message-end","delta":{"error":"m"}}"#),
            (OllamaChat, None, r#"{"error":"m"}"#),
        ] {
            let FrameMeaning::Error(error) = read(api, event, data) else { panic!("{api}: {data}") };
            assert_eq!(error.message(), "m", "{api}: {data}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_frame_makes_it_panic(data in "[\\[\\]{}\":,a-z]{0,40}", event in proptest::option::of("[a-z:]{0,8}")) {
            for api in Api::ALL.iter().copied() {
                read(api, event.as_deref(), &data);
            }
        }
    }
}
