//! `POST /model/{model}/invoke` and `/invoke-with-response-stream`: the body has the model's own format, here
//! always that of Anthropic's models.
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
        content::stem,
        header::HeaderField,
        message::{MessageBody, json},
        request::{RequestedCall, model_asked},
    },
};

pub(super) fn reply(
    content_block: &ContentBlock,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    if asked.stream {
        (frame::CONTENT_TYPE, stream(content_block, asked, canaries))
    } else {
        json(&whole(content_block, asked, canaries))
    }
}

/// The headers that the operation sends in addition to its body.
pub(super) fn headers(content_block: &ContentBlock, asked: &RequestedCall) -> Vec<HeaderField> {
    if asked.stream {
        return vec![("x-amzn-bedrock-content-type".into(), "application/json".into())];
    }
    vec![
        ("x-amzn-bedrock-invocation-latency".into(), LATENCY_MS.to_string().into()),
        ("x-amzn-bedrock-input-token-count".into(), INPUT_TOKENS.to_string().into()),
        ("x-amzn-bedrock-output-token-count".into(), content_block.output_tokens().to_string().into()),
    ]
}

fn whole(content_block: &ContentBlock, asked: &RequestedCall, canaries: &Canaries) -> Value {
    let content = match content_block.kind {
        ContentKind::ToolCall => {
            let id = call_id("toolu_bdrk_", canaries);
            json!({"type": "tool_use", "id": id, "name": TOOL, "input": content_block.arguments()})
        }
        ContentKind::Text | ContentKind::Limited | ContentKind::Blocked => {
            json!({"type": "text", "text": content_block.text()})
        }
    };
    let mut message = message(asked, canaries);
    message["content"] = json!([content]);
    message["stop_reason"] = stop_reason(content_block).into();
    message["usage"]["output_tokens"] = content_block.output_tokens().into();
    if content_block.kind == ContentKind::Blocked {
        message[ACTION] = "INTERVENED".into();
    }
    message
}

/// A message without content.
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

fn stream(content_block: &ContentBlock, asked: &RequestedCall, canaries: &Canaries) -> MessageBody {
    let start = json!({"type": "message_start", "message": message(asked, canaries)});
    let block = match content_block.kind {
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
    events.extend(deltas(content_block));
    let (last, terminator) = end(content_block);
    events.extend(last);
    MessageBody::Events { events, terminator: Some(terminator) }
}

/// The rest of a stream in which a guardrail intervenes.
pub(super) fn blocked_event(content_block: &ContentBlock) -> Bytes {
    let (last, terminator) = end(content_block);
    deltas(content_block).chain(last).chain([terminator]).collect::<Vec<_>>().concat().into()
}

fn deltas(content_block: &ContentBlock) -> impl Iterator<Item = Bytes> {
    content_block.pieces.iter().map(|piece| {
        let delta = match content_block.kind {
            ContentKind::ToolCall => json!({"type": "input_json_delta", "partial_json": piece}),
            ContentKind::Text | ContentKind::Limited | ContentKind::Blocked => {
                json!({"type": "text_delta", "text": piece})
            }
        };
        chunk(&json!({"type": "content_block_delta", "index": 0, "delta": delta}))
    })
}

/// The events after the content, and the event that completes the stream.
fn end(content_block: &ContentBlock) -> ([Bytes; 2], Bytes) {
    let delta = json!({"stop_reason": stop_reason(content_block), "stop_sequence": null});
    let usage = json!({"output_tokens": content_block.output_tokens()});
    let mut stop = json!({
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": INPUT_TOKENS,
            "outputTokenCount": content_block.output_tokens(),
            "invocationLatency": LATENCY_MS,
            "firstByteLatency": LATENCY_MS,
        },
    });
    if content_block.kind == ContentKind::Blocked {
        stop[ACTION] = "INTERVENED".into();
    }
    let last = [
        chunk(&json!({"type": "content_block_stop", "index": 0})),
        chunk(&json!({"type": "message_delta", "delta": delta, "usage": usage})),
    ];
    (last, chunk(&stop))
}

/// The member that reports a guardrail's action.
const ACTION: &str = "amazon-bedrock-guardrailAction";

fn chunk(event: &Value) -> Bytes {
    frame::event("chunk", &json!({"bytes": STANDARD.encode(event.to_string()), "p": frame::PADDING}))
}

fn stop_reason(content_block: &ContentBlock) -> &'static str {
    match content_block.kind {
        ContentKind::Text | ContentKind::Blocked => "end_turn",
        ContentKind::Limited => "max_tokens",
        ContentKind::ToolCall => "tool_use",
    }
}

/// Anthropic's own name of a model: `claude-3-x` for `us.anthropic.claude-3-x-v1:0`.
fn model_of(id: &str) -> &str {
    let name = id.split_once("anthropic.").map_or(id, |(_, name)| name);
    name.rsplit_once("-v").map_or(name, |(name, _)| name)
}
