//! The frames that the proxy writes itself: an error in the middle of a stream, and an end.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::{Value, json};

use super::{Family, Told};
use crate::{scenario::Api, wire::sse};

/// An error as the last frame of a stream of `api`. `status` is the one that it would have had as
/// an answer, `position` that of the frame in its stream.
pub fn error_frame(api: Api, told: Told, status: u16, position: u64) -> Bytes {
    let told = told.into_family(Family::of(api), status);
    let body = told.body();
    match api {
        Api::OpenaiResponses => {
            // The nested form, as it has been recorded.
            let event = json!({"type": "error", "sequence_number": position, "error": told.error});
            sse::encode(Some("error"), &event.to_string()).into()
        }
        Api::AnthropicMessages => sse::encode(Some("error"), &body.to_string()).into(),
        Api::GeminiGenerate => format!("data: {body}\r\n\r\n").into(),
        Api::BedrockConverse | Api::BedrockInvoke => exception(told, status),
        Api::CohereChat => {
            let delta = json!({"finish_reason": "ERROR", "error": told.message()});
            let event = json!({"type": "message-end", "delta": delta});
            sse::encode(Some("message-end"), &event.to_string()).into()
        }
        Api::OllamaChat | Api::OllamaGenerate => format!("{body}\n").into(),
        _ => sse::encode(None, &body.to_string()).into(),
    }
}

/// What ends a stream whose answer is whole, where the upstream left it out.
pub fn closing(api: Api) -> Bytes {
    match api {
        Api::OpenaiChat | Api::OpenaiCompletions | Api::CohereChat => Bytes::from_static(b"data: [DONE]\n\n"),
        Api::AnthropicMessages => event("message_stop", json!({"type": "message_stop"})),
        _ => Bytes::new(),
    }
}

/// A frame that says that the answer is finished, whether it is or not (only ever sent by a defect).
pub fn finish(api: Api) -> Bytes {
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
        Api::AnthropicMessages => {
            let delta = json!({"stop_reason": "end_turn", "stop_sequence": null});
            let data = json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 0}});
            event("message_delta", data)
        }
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

/// An exception of AWS's event stream; its name is the nearest that both operations know.
fn exception(told: Told, status: u16) -> Bytes {
    let name = match status {
        400 => "validationException",
        429 => "throttlingException",
        500 => "internalServerException",
        503 => "serviceUnavailableException",
        _ => "modelStreamErrorException",
    };
    let mut payload = told.error;
    if name == "modelStreamErrorException" {
        payload.entry("originalStatusCode").or_insert(json!(status));
    }
    aws_frame(
        &[(":message-type", "exception"), (":exception-type", name), (":content-type", "application/json")],
        Value::from(payload).to_string().as_bytes(),
    )
}

fn aws_event(name: &str, payload: &Value) -> Bytes {
    aws_frame(
        &[(":event-type", name), (":content-type", "application/json"), (":message-type", "event")],
        payload.to_string().as_bytes(),
    )
}

/// One message of AWS's event stream: lengths, their CRC, headers of strings, payload, CRC of all.
fn aws_frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut written = BytesMut::new();
    for (name, value) in headers {
        written.put_u8(name.len() as u8);
        written.put_slice(name.as_bytes());
        written.put_u8(7);
        written.put_u16(value.len() as u16);
        written.put_slice(value.as_bytes());
    }
    let mut frame = BytesMut::new();
    frame.put_u32((16 + written.len() + payload.len()) as u32);
    frame.put_u32(written.len() as u32);
    frame.put_u32(crc32fast::hash(&frame));
    frame.put_slice(&written);
    frame.put_slice(payload);
    frame.put_u32(crc32fast::hash(&frame));
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        builtin::{
            dialect::{Meaning, meaning},
            envelope,
        },
        wire::frames::{Carrier, decode},
    };

    fn told() -> Told {
        Told::openai(envelope::error("m".into(), envelope::UPSTREAM_ERROR, Some("timeout")))
    }

    #[test]
    fn an_error_frame_is_read_as_an_error_by_who_knows_the_dialect() {
        for api in Api::ALL.iter().copied().filter(|api| api.streams()) {
            let carrier = match api {
                Api::BedrockConverse | Api::BedrockInvoke => continue,
                Api::OllamaChat | Api::OllamaGenerate => Carrier::Ndjson,
                _ => Carrier::Sse,
            };
            let frames = decode(carrier, &error_frame(api, told(), 504, 3));
            let Meaning::Error(read) = meaning(api, &frames[0]) else { panic!("{api}: {frames:?}") };
            assert_eq!((read.message(), frames.len()), ("m", 1), "{api}");
        }
    }

    #[test]
    fn error_frames_have_the_form_of_their_dialect() {
        let shown = |api| String::from_utf8_lossy(&error_frame(api, told(), 504, 3)).trim_end().to_owned();
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

    /// The message that boto3 was seen to decode.
    #[test]
    fn a_message_of_aws_has_correct_lengths_and_checksums() {
        let headers = [
            (":event-type", "messageStart"),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ];
        let frame = aws_frame(&headers, br#"{"role":"assistant"}"#);
        let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "000000760000005296d5fade0b3a6576656e742d7479706507000c6d65737361676553746172740d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22726f6c65223a22617373697374616e74227d6fa8c599"
        );
    }
}
