//! `POST /model/{model}/invoke` and `/invoke-with-response-stream`: the body is the model's own, which
//! here is always that of Anthropic's models.
//!
//! Source: <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html>
//! and `API_runtime_InvokeModelWithResponseStream.html` of the API's reference.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    content_block::{ContentBlock, ContentKind, INPUT_TOKENS, LATENCY_MS, TOOL, call_id},
    frame,
};
use crate::{
    observation::Canaries,
    provider::{
        dialect::{json, model_asked, stem},
        header::HeaderField,
        message::MessageBody,
        request::RequestedCall,
    },
};

pub(super) fn reply(
    said: &ContentBlock,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    if asked.stream {
        (frame::CONTENT_TYPE, stream(said, asked, canaries))
    } else {
        json(&whole(said, asked, canaries))
    }
}

/// What the operation says in headers beside its body.
pub(super) fn headers(said: &ContentBlock, asked: &RequestedCall) -> Vec<HeaderField> {
    if asked.stream {
        return vec![("x-amzn-bedrock-content-type".into(), "application/json".into())];
    }
    vec![
        ("x-amzn-bedrock-invocation-latency".into(), LATENCY_MS.to_string().into()),
        ("x-amzn-bedrock-input-token-count".into(), INPUT_TOKENS.to_string().into()),
        ("x-amzn-bedrock-output-token-count".into(), said.output_tokens().to_string().into()),
    ]
}

fn whole(said: &ContentBlock, asked: &RequestedCall, canaries: &Canaries) -> Value {
    let content = match said.kind {
        ContentKind::ToolCall => {
            let id = call_id("toolu_bdrk_", canaries);
            json!({"type": "tool_use", "id": id, "name": TOOL, "input": said.arguments()})
        }
        ContentKind::Text | ContentKind::Limited | ContentKind::Blocked => {
            json!({"type": "text", "text": said.text()})
        }
    };
    let mut message = message(asked, canaries);
    message["content"] = json!([content]);
    message["stop_reason"] = stop_reason(said).into();
    message["usage"]["output_tokens"] = said.output_tokens().into();
    if said.kind == ContentKind::Blocked {
        message[ACTION] = "INTERVENED".into();
    }
    message
}

/// A message that has no content yet.
fn message(asked: &RequestedCall, canaries: &Canaries) -> Value {
    json!({
        "id": format!("msg_bdrk_{}", stem(canaries)),
        "type": "message",
        "role": "assistant",
        "model": model_of(model_asked(asked)),
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1},
    })
}

fn stream(said: &ContentBlock, asked: &RequestedCall, canaries: &Canaries) -> MessageBody {
    let start = json!({"type": "message_start", "message": message(asked, canaries)});
    let block = match said.kind {
        ContentKind::ToolCall => {
            let id = call_id("toolu_bdrk_", canaries);
            json!({"type": "tool_use", "id": id, "name": TOOL, "input": {}})
        }
        ContentKind::Text | ContentKind::Limited | ContentKind::Blocked => {
            json!({"type": "text", "text": ""})
        }
    };
    let block = json!({"type": "content_block_start", "index": 0, "content_block": block});
    let mut events = vec![chunk(&start), chunk(&block)];
    events.extend(deltas(said));
    let (last, terminator) = end(said);
    events.extend(last);
    MessageBody::Events { events, terminator: Some(terminator) }
}

/// What is left of a stream in which a guardrail steps in.
pub(super) fn blocked_event(said: &ContentBlock) -> Bytes {
    let (last, terminator) = end(said);
    deltas(said).chain(last).chain([terminator]).collect::<Vec<_>>().concat().into()
}

fn deltas(said: &ContentBlock) -> impl Iterator<Item = Bytes> {
    said.pieces.iter().map(|piece| {
        let delta = match said.kind {
            ContentKind::ToolCall => json!({"type": "input_json_delta", "partial_json": piece}),
            ContentKind::Text | ContentKind::Limited | ContentKind::Blocked => {
                json!({"type": "text_delta", "text": piece})
            }
        };
        chunk(&json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    })
}

/// The events behind the content, and the one that says that the stream is complete.
fn end(said: &ContentBlock) -> ([Bytes; 2], Bytes) {
    let delta = json!({"stop_reason": stop_reason(said), "stop_sequence": null});
    let usage = json!({"output_tokens": said.output_tokens()});
    let mut stop = json!({
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": INPUT_TOKENS,
            "outputTokenCount": said.output_tokens(),
            "invocationLatency": LATENCY_MS,
            "firstByteLatency": LATENCY_MS,
        },
    });
    if said.kind == ContentKind::Blocked {
        stop[ACTION] = "INTERVENED".into();
    }
    let last = [
        chunk(&json!({"type": "content_block_stop", "index": 0})),
        chunk(&json!({"type": "message_delta", "delta": delta, "usage": usage})),
    ];
    (last, chunk(&stop))
}

/// What a guardrail did.
const ACTION: &str = "amazon-bedrock-guardrailAction";

fn chunk(event: &Value) -> Bytes {
    frame::event("chunk", &json!({"bytes": STANDARD.encode(event.to_string()), "p": frame::PADDING}))
}

fn stop_reason(said: &ContentBlock) -> &'static str {
    match said.kind {
        ContentKind::Text | ContentKind::Blocked => "end_turn",
        ContentKind::Limited => "max_tokens",
        ContentKind::ToolCall => "tool_use",
    }
}

/// Anthropic's own name of a model: `claude-3-x` of `us.anthropic.claude-3-x-v1:0`.
fn model_of(id: &str) -> &str {
    let name = id.split_once("anthropic.").map_or(id, |(_, name)| name);
    name.rsplit_once("-v").map_or(name, |(name, _)| name)
}
