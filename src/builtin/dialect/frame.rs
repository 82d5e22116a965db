//! The frames that the proxy writes itself: errors in the middle of a stream, and ends of streams.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{DialectError, ErrorForm};
use crate::{
    scenario::Api,
    wire::{eventstream, sse},
};

/// An error as the last frame of a stream of `api`. `status` is the status that the error would have as a
/// response, `position` the position of the frame in its stream.
pub(crate) fn error_frame(api: Api, error: DialectError, status: u16, position: u64) -> Bytes {
    let error = error.into_form(ErrorForm::of(api), status);
    let body = error.body();
    match api {
        Api::OpenaiResponses => {
            // The nested form, as in recorded streams.
            let event = json!({"type": "error", "sequence_number": position, "error": error.error});
            sse::encode(Some("error"), &event.to_string()).into()
        }
        Api::AnthropicMessages => sse::encode(Some("error"), &body.to_string()).into(),
        Api::GeminiGenerate => format!("data: {body}\r\n\r\n").into(),
        Api::BedrockConverse | Api::BedrockInvoke => exception(error, status),
        Api::CohereChat => {
            let delta = json!({"finish_reason": "ERROR", "error": error.message()});
            let event = json!({"type": "message-end", "delta": delta});
            sse::encode(Some("message-end"), &event.to_string()).into()
        }
        Api::OllamaChat | Api::OllamaGenerate => format!("{body}\n").into(),
        _ => sse::encode(None, &body.to_string()).into(),
    }
}

/// The terminator of a stream of `api`, for a complete stream in which the upstream left it out.
pub(crate) fn closing(api: Api) -> Bytes {
    match api {
        Api::OpenaiChat | Api::OpenaiCompletions | Api::CohereChat => Bytes::from_static(b"data: [DONE]\n\n"),
        Api::AnthropicMessages => event("message_stop", json!({"type": "message_stop"})),
        Api::BedrockInvoke => invoked(&json!({"type": "message_stop"})),
        _ => Bytes::new(),
    }
}

/// A frame that reports the response as finished, whether it is or not. Only a defect sends it.
pub(crate) fn finish(api: Api) -> Bytes {
    match api {
        Api::OpenaiChat => {
            let choice = json!({"index": 0, "delta": {}, "finish_reason": "stop"});
            chunk("chatcmpl-0", "chat.completion.chunk", choice)
        }
        Api::OpenaiCompletions => {
            chunk("cmpl-0", "text_completion", json!({"index": 0, "text": "", "finish_reason": "stop"}))
        }
        Api::OpenaiResponses => {
            let response = json!({
                "id": "resp_0", "object": "response", "created_at": 0, "status": "completed", "error": null,
                "incomplete_details": null, "model": "unknown", "output": [],
            });
            let data = json!({"type": "response.completed", "sequence_number": 0, "response": response});
            event("response.completed", data)
        }
        Api::AnthropicMessages => event("message_delta", end_turn()),
        Api::BedrockInvoke => invoked(&end_turn()),
        Api::GeminiGenerate => {
            let candidate = json!({"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": "STOP", "index": 0});
            format!("data: {}\r\n\r\n", json!({ "candidates": [candidate] })).into()
        }
        Api::BedrockConverse => {
            let usage = json!({"usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}, "metrics": {"latencyMs": 0}});
            let stop = aws_event("messageStop", &json!({"stopReason": "end_turn"}));
            [stop, aws_event("metadata", &usage)].concat().into()
        }
        Api::CohereChat => {
            event("message-end", json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}))
        }
        Api::OllamaChat => ollama_end("message", json!({"role": "assistant", "content": ""})),
        Api::OllamaGenerate => ollama_end("response", json!("")),
        _ => Bytes::new(),
    }
}

/// A ping event of Anthropic in the framing of `api`. Only a defect sends it.
pub(crate) fn ping(api: Api) -> Bytes {
    let data = json!({"type": "ping"});
    match api {
        Api::BedrockConverse | Api::BedrockInvoke => aws_event("ping", &data),
        Api::OllamaChat | Api::OllamaGenerate => format!("{data}\n").into(),
        _ => event("ping", data),
    }
}

/// Anthropic's event with the reason for which a message ended.
fn end_turn() -> Value {
    let delta = json!({"stop_reason": "end_turn", "stop_sequence": null});
    json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 0}})
}

/// An event of Anthropic's models, wrapped as Bedrock does.
fn invoked(event: &Value) -> Bytes {
    aws_event("chunk", &json!({ "bytes": STANDARD.encode(event.to_string()) }))
}

fn event(name: &str, data: Value) -> Bytes {
    sse::encode(Some(name), &data.to_string()).into()
}

fn chunk(id: &str, object: &str, choice: Value) -> Bytes {
    let chunk = json!({"id": id, "object": object, "created": 0, "model": "unknown", "choices": [choice]});
    sse::encode(None, &chunk.to_string()).into()
}

fn ollama_end(name: &str, content: Value) -> Bytes {
    let mut line = json!({"model": "unknown", "created_at": "1970-01-01T00:00:00Z"});
    line[name] = content;
    line["done"] = json!(true);
    line["done_reason"] = json!("stop");
    format!("{line}\n").into()
}

/// An exception of AWS's event stream, with the closest name that both operations declare.
fn exception(error: DialectError, status: u16) -> Bytes {
    let name = match status {
        408 | 424 | 502 | 504 => "modelStreamErrorException",
        429 => "throttlingException",
        503 | 529 => "serviceUnavailableException",
        500.. => "internalServerException",
        _ => "validationException",
    };
    let mut payload = error.error;
    if name == "modelStreamErrorException" {
        payload.entry("originalStatusCode").or_insert(json!(status));
    }
    let headers =
        [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    aws_message(&headers, &payload.into())
}

fn aws_event(name: &str, payload: &Value) -> Bytes {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    aws_message(&headers, payload)
}

fn aws_message(headers: &[(&str, &str)], payload: &Value) -> Bytes {
    // A payload that is too long is replaced by an empty one.
    eventstream::encode(headers, payload.to_string().as_bytes())
        .or_else(|_| eventstream::encode(headers, b"{}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        builtin::{
            dialect::{FrameMeaning, meaning},
            envelope,
        },
        wire::frames::{Carrier, decode},
    };

    fn carrier(api: Api) -> Carrier {
        match api {
            Api::BedrockConverse | Api::BedrockInvoke => Carrier::Aws,
            Api::OllamaChat | Api::OllamaGenerate => Carrier::Ndjson,
            _ => Carrier::Sse,
        }
    }

    fn timeout() -> DialectError {
        DialectError::openai(envelope::error("m".into(), envelope::UPSTREAM_ERROR, Some("timeout")))
    }

    #[test]
    fn an_error_frame_is_read_as_an_error_in_its_dialect() {
        for api in Api::ALL.iter().copied().filter(|api| api.streams()) {
            let frames = decode(carrier(api), &error_frame(api, timeout(), 504, 3));
            let FrameMeaning::Error(read) = meaning(api, &frames[0]) else { panic!("{api}: {frames:?}") };
            assert_eq!((read.message(), frames.len()), ("m", 1), "{api}");
        }
    }

    #[test]
    fn a_finish_and_its_closing_end_a_response_in_its_dialect() {
        for api in Api::ALL.iter().copied().filter(|api| api.streams()) {
            let frames = decode(carrier(api), &[finish(api), closing(api)].concat());
            let read: Vec<FrameMeaning> = frames.iter().map(|frame| meaning(api, frame)).collect();
            let says_why = |read: &FrameMeaning| {
                let whole = matches!(read, FrameMeaning::Done { is_whole: true });
                whole || matches!(read, FrameMeaning::Part { choices, .. } if choices.contains(&(0, true)))
            };
            assert!(read.iter().any(says_why), "{api}: {frames:?}");
            assert!(!read.contains(&FrameMeaning::Broken), "{api}: {frames:?}");
        }
    }

    #[test]
    fn error_frames_have_the_form_of_their_dialect() {
        let shown = |api| String::from_utf8_lossy(&error_frame(api, timeout(), 504, 3)).trim_end().to_owned();
        insta::assert_snapshot!(shown(Api::OpenaiChat), @r#"data: {"error":{"message":"m","type":"upstream_error","param":null,"code":"timeout"}}"#);
        insta::assert_snapshot!(shown(Api::OpenaiResponses), @r#"
        event: error
        data: {"type":"error","sequence_number":3,"error":{"message":"m","type":"upstream_error","param":null,"code":"timeout"}}
        "#);
        insta::assert_snapshot!(shown(Api::AnthropicMessages), @r#"
        event: error
        data: {"type":"error","error":{"type":"timeout_error","message":"m","details":{"error_code":"timeout"}}}
        "#);
        insta::assert_snapshot!(shown(Api::GeminiGenerate), @r#"data: {"error":{"code":504,"message":"m","status":"DEADLINE_EXCEEDED"}}"#);
        insta::assert_snapshot!(shown(Api::CohereChat), @r#"
        event: message-end
        data: {"type":"message-end","delta":{"finish_reason":"ERROR","error":"m"}}
        "#);
        insta::assert_snapshot!(shown(Api::OllamaChat), @r#"{"error":"m"}"#);
    }
}
