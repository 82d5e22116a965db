//! The meaning of one frame of an upstream's stream.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{DialectError, ErrorForm, dialect_error::ErrorMembers};
use crate::{builtin::envelope, scenario::Api, wire::frames::Frame};

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

/// Reads one frame of a stream of `api`.
pub(crate) fn meaning(api: Api, frame: &Frame) -> FrameMeaning {
    match api.native_provider() {
        crate::scenario::Provider::Bedrock => return aws(api, frame),
        _ if frame.data.trim() == "[DONE]" => return FrameMeaning::Done { is_whole: false },
        _ => {}
    }
    let is_error_event = frame.event.as_deref() == Some("error");
    let value = match serde_json::from_str::<Value>(&frame.data) {
        Ok(value @ Value::Object(_)) => value,
        // In a list of chunks, Google sends errors in a list too.
        Ok(value)
            if api == Api::GeminiGenerate && DialectError::of_value(ErrorForm::Google, &value).is_some() =>
        {
            return error(api, frame);
        }
        _ if is_error_event => return error(api, frame),
        _ => return FrameMeaning::Broken,
    };
    let has_types = matches!(api, Api::OpenaiResponses | Api::AnthropicMessages);
    let is_error = match value.get("error") {
        None | Some(Value::Null) => is_error_event || has_types && value["type"] == "error",
        Some(_) => true,
    };
    if is_error {
        return error(api, frame);
    }
    match api {
        Api::OpenaiResponses => response(&value, frame),
        Api::AnthropicMessages => message(&value, frame),
        Api::GeminiGenerate => generated(&value),
        Api::CohereChat => cohere(&value),
        Api::OllamaChat | Api::OllamaGenerate => ollama(&value),
        // Some providers send the error's members at the top level.
        _ if value.get("choices").is_none() && (value["detail"].is_array() || bare_text(&value)) => {
            error(api, frame)
        }
        _ => chunk(&value),
    }
}

fn bare_text(value: &Value) -> bool {
    value["message"].is_string() || value["detail"].is_string()
}

/// Whether an error frame has the form that callers of `api` understand, so that it may pass unchanged.
pub(crate) fn passes_unchanged(api: Api, frame: &Frame) -> bool {
    let named = frame.event.as_deref() == Some("error");
    let value = || serde_json::from_str::<Value>(&frame.data).unwrap_or_default();
    match api {
        Api::OpenaiResponses => {
            named || matches!(value()["type"].as_str(), Some("error" | "response.failed"))
        }
        Api::AnthropicMessages => named && DialectError::of_value(ErrorForm::Anthropic, &value()).is_some(),
        Api::GeminiGenerate => {
            value().is_object() && DialectError::of_value(ErrorForm::Google, &value()).is_some()
        }
        Api::BedrockConverse | Api::BedrockInvoke => true,
        Api::CohereChat => value()["type"] == "message-end",
        Api::OllamaChat | Api::OllamaGenerate => value()["error"].is_string(),
        _ => value().pointer("/error/message").is_some_and(Value::is_string),
    }
}

fn part(finished: bool, has_content: bool) -> FrameMeaning {
    FrameMeaning::Part { choices: vec![(0, finished)], has_content }
}

fn error(api: Api, frame: &Frame) -> FrameMeaning {
    FrameMeaning::Error(DialectError::of_body(ErrorForm::of(api), frame.data.as_bytes(), 200))
}

/// Reads a chunk of a chat or a completion.
fn chunk(value: &Value) -> FrameMeaning {
    let choices = value.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let has_content = |choice: &Value| {
        let delta = &choice["delta"];
        let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
        is_text(&delta["content"]) || delta["tool_calls"].is_array() || is_text(&choice["text"])
    };
    FrameMeaning::Part {
        choices: choices
            .iter()
            .map(|choice| {
                let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
                (index, choice.get("finish_reason").is_some_and(|reason| !reason.is_null()))
            })
            .collect(),
        has_content: choices.iter().any(has_content),
    }
}

fn response(value: &Value, frame: &Frame) -> FrameMeaning {
    match value["type"].as_str().or(frame.event.as_deref()) {
        Some("response.completed" | "response.incomplete") => FrameMeaning::Done { is_whole: true },
        Some("response.failed") => {
            let error = value.pointer("/response/error").filter(|error| error.is_object());
            let body = json!({ "error": error.unwrap_or(value) }).to_string();
            FrameMeaning::Error(DialectError::of_body(ErrorForm::Openai, body.as_bytes(), 200))
        }
        Some(kind) => part(false, kind.ends_with(".delta")),
        None => FrameMeaning::Broken,
    }
}

fn message(value: &Value, frame: &Frame) -> FrameMeaning {
    match value["type"].as_str().or(frame.event.as_deref()) {
        Some("message_stop") => FrameMeaning::Done { is_whole: false },
        Some("message_delta") => {
            part(value.pointer("/delta/stop_reason").is_some_and(Value::is_string), false)
        }
        Some("content_block_delta") => part(false, true),
        Some(_) => part(false, false),
        None => FrameMeaning::Broken,
    }
}

fn generated(value: &Value) -> FrameMeaning {
    let candidates = value["candidates"].as_array().map_or(&[][..], Vec::as_slice);
    let finished = candidates.iter().any(|candidate| candidate["finishReason"].is_string())
        || value.pointer("/promptFeedback/blockReason").is_some();
    let has_content = candidates.iter().any(|candidate| {
        candidate.pointer("/content/parts").and_then(Value::as_array).is_some_and(|parts| {
            parts
                .iter()
                .any(|part| part["text"] != "" && part.as_object().is_some_and(|part| !part.is_empty()))
        })
    });
    part(finished, has_content)
}

fn cohere(value: &Value) -> FrameMeaning {
    match value["type"].as_str() {
        Some("message-end") => {
            let reason = value.pointer("/delta/finish_reason").and_then(Value::as_str);
            let text = value.pointer("/delta/error").and_then(Value::as_str);
            if text.is_none() && !reason.is_some_and(|reason| reason.starts_with("ERROR")) {
                return part(reason.is_some(), false);
            }
            let text = text.unwrap_or("The upstream ended the message with an error.");
            let error = ErrorMembers::from_iter([("message".to_owned(), json!(text))]);
            FrameMeaning::Error(DialectError { form: ErrorForm::Cohere, error, around: ErrorMembers::new() })
        }
        Some(kind) => part(false, matches!(kind, "content-delta" | "tool-call-delta" | "tool-plan-delta")),
        None => FrameMeaning::Broken,
    }
}

fn ollama(value: &Value) -> FrameMeaning {
    if value["done"] == true {
        return FrameMeaning::Done { is_whole: true };
    }
    let message = &value["message"];
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    part(
        false,
        is_text(&message["content"]) || is_text(&value["response"]) || message["tool_calls"].is_array(),
    )
}

fn aws(api: Api, frame: &Frame) -> FrameMeaning {
    let event = frame.event.as_deref().unwrap_or_default();
    if let Some(name) = event.strip_prefix("exception:").or_else(|| event.strip_prefix("error:")) {
        let value = serde_json::from_str(&frame.data).unwrap_or_default();
        let mut error = DialectError::of_value(ErrorForm::Aws, &value).unwrap_or_else(|| {
            let text = format!("The upstream's stream ended with {name}.");
            DialectError::openai(envelope::error(text, envelope::UPSTREAM_ERROR, None))
                .into_form(ErrorForm::Aws, 502)
        });
        error.around.clear();
        error.error.retain(|_, value| !value.is_null());
        return FrameMeaning::Error(error);
    }
    let Ok(value @ Value::Object(_)) = serde_json::from_str::<Value>(&frame.data) else {
        return FrameMeaning::Broken;
    };
    match (api, event) {
        (_, "messageStop") => part(true, false),
        (_, "metadata") => FrameMeaning::Done { is_whole: false },
        (_, "contentBlockDelta") => part(false, true),
        (Api::BedrockInvoke, "chunk") => invoked(&value),
        (_, "") => FrameMeaning::Broken,
        _ => part(false, false),
    }
}

/// Reads a chunk of `InvokeModelWithResponseStream`: the model's own event in base64.
fn invoked(value: &Value) -> FrameMeaning {
    let inner = value["bytes"].as_str().and_then(|text| STANDARD.decode(text).ok());
    let Some(inner) = inner.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok()) else {
        return FrameMeaning::Broken;
    };
    let says_why = |value: &Value| {
        ["stop_reason", "stopReason", "completionReason", "finish_reason"]
            .iter()
            .any(|name| value[*name].is_string())
    };
    match inner["type"].as_str() {
        Some("message_stop") => FrameMeaning::Done { is_whole: false },
        Some("message_delta") => part(says_why(&inner["delta"]), false),
        Some("content_block_delta") => part(false, true),
        Some(_) => part(false, false),
        None => part(says_why(&inner), true),
    }
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
        let chunk = r#"{"bytes":"eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSJ9"}"#;
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
            (AnthropicMessages, None, r#"{"type":"content_block_delta"}"#, "content"),
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
            (BedrockConverse, Some("contentBlockDelta"), "{}", "content"),
            (BedrockConverse, Some("messageStop"), r#"{"stopReason":"end_turn"}"#, "finish"),
            (BedrockConverse, Some("metadata"), "{}", "done"),
            (BedrockConverse, Some("exception:throttlingException"), r#"{"message":"m"}"#, "error"),
            (BedrockConverse, Some("error:InternalError"), "", "error"),
            (BedrockConverse, None, "", "broken"),
            (BedrockInvoke, Some("chunk"), chunk, "content"),
            (BedrockInvoke, Some("chunk"), stop, "done"),
            (BedrockInvoke, Some("chunk"), r#"{"bytes":"?"}"#, "broken"),
            (CohereChat, Some("content-delta"), r#"{"type":"content-delta"}"#, "content"),
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
