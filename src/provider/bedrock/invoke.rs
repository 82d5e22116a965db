//! `POST /model/{model}/invoke` and `/invoke-with-response-stream`: the body has the model's own format, here
//! always that of Anthropic's models.
//!
//! Source: <https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html>
//! and `API_runtime_InvokeModelWithResponseStream.html` of the API's reference.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    content_block::{BedrockContent, ContentBlock, ContentEnd, INPUT_TOKENS, LATENCY_MS},
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
    content: &BedrockContent,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    if asked.stream {
        (frame::CONTENT_TYPE, stream(content, asked, canaries))
    } else {
        json(&whole(content, asked, canaries))
    }
}

/// The headers that the operation sends in addition to its body.
pub(super) fn headers(content: &BedrockContent, asked: &RequestedCall) -> Vec<HeaderField> {
    if asked.stream {
        return vec![("x-amzn-bedrock-content-type".into(), "application/json".into())];
    }
    vec![
        ("x-amzn-bedrock-invocation-latency".into(), LATENCY_MS.to_string().into()),
        ("x-amzn-bedrock-input-token-count".into(), INPUT_TOKENS.to_string().into()),
        ("x-amzn-bedrock-output-token-count".into(), content.output_tokens.to_string().into()),
    ]
}

fn whole(content: &BedrockContent, asked: &RequestedCall, canaries: &Canaries) -> Value {
    let complete = |block: &ContentBlock| {
        let mut complete = started(block);
        match &block.call {
            Some(call) => complete["input"] = call.arguments(),
            None => complete["text"] = block.text().into(),
        }
        complete
    };
    let mut message = message(asked, canaries);
    message["content"] = content.blocks.iter().map(complete).collect();
    message["stop_reason"] = stop_reason(content).into();
    message["usage"]["output_tokens"] = content.output_tokens.into();
    if content.end == ContentEnd::Blocked {
        message[ACTION] = "INTERVENED".into();
    }
    message
}

/// A block at the start of a stream: empty.
fn started(block: &ContentBlock) -> Value {
    match &block.call {
        Some(call) => {
            json!({"type": "tool_use", "id": format!("toolu_bdrk_{}", call.id), "name": call.name, "input": {}})
        }
        None => json!({"type": "text", "text": ""}),
    }
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

fn stream(content: &BedrockContent, asked: &RequestedCall, canaries: &Canaries) -> MessageBody {
    let mut events = vec![chunk(&json!({"type": "message_start", "message": message(asked, canaries)}))];
    for (index, block) in content.blocks.iter().enumerate() {
        let start = json!({"type": "content_block_start", "index": index, "content_block": started(block)});
        events.push(chunk(&start));
        events.extend(deltas(index, block));
        events.push(block_stop(index));
    }
    let (last, terminator) = end(content);
    events.push(last);
    MessageBody::Events { events, terminator: Some(terminator) }
}

/// The rest of a stream in which a guardrail intervenes.
pub(super) fn blocked_event(content: &BedrockContent) -> Bytes {
    let (last, terminator) = end(content);
    let blocks = content.blocks.iter().enumerate();
    let blocks = blocks.flat_map(|(index, block)| deltas(index, block).chain([block_stop(index)]));
    blocks.chain([last, terminator]).collect::<Vec<_>>().concat().into()
}

fn deltas(index: usize, block: &ContentBlock) -> impl Iterator<Item = Bytes> {
    let is_call = block.call.is_some();
    block.pieces.iter().map(move |piece| {
        let delta = if is_call {
            json!({"type": "input_json_delta", "partial_json": piece})
        } else {
            json!({"type": "text_delta", "text": piece})
        };
        chunk(&json!({"type": "content_block_delta", "index": index, "delta": delta}))
    })
}

fn block_stop(index: usize) -> Bytes {
    chunk(&json!({"type": "content_block_stop", "index": index}))
}

/// The event after the content, and the event that completes the stream.
fn end(content: &BedrockContent) -> (Bytes, Bytes) {
    let delta = json!({"stop_reason": stop_reason(content), "stop_sequence": null});
    let usage = json!({"output_tokens": content.output_tokens});
    let mut stop = json!({
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": INPUT_TOKENS,
            "outputTokenCount": content.output_tokens,
            "invocationLatency": LATENCY_MS,
            "firstByteLatency": LATENCY_MS,
        },
    });
    if content.end == ContentEnd::Blocked {
        stop[ACTION] = "INTERVENED".into();
    }
    (chunk(&json!({"type": "message_delta", "delta": delta, "usage": usage})), chunk(&stop))
}

/// The member that reports a guardrail's action.
const ACTION: &str = "amazon-bedrock-guardrailAction";

fn chunk(event: &Value) -> Bytes {
    frame::event("chunk", &json!({"bytes": STANDARD.encode(event.to_string()), "p": frame::PADDING}))
}

fn stop_reason(content: &BedrockContent) -> &'static str {
    match content.end {
        ContentEnd::Whole | ContentEnd::Blocked => "end_turn",
        ContentEnd::Limited => "max_tokens",
        ContentEnd::ToolCalls => "tool_use",
        ContentEnd::Filtered => "refusal",
    }
}

/// Anthropic's own name of a model: `claude-3-x` for `us.anthropic.claude-3-x-v1:0`.
fn model_of(id: &str) -> &str {
    let name = id.split_once("anthropic.").map_or(id, |(_, name)| name);
    name.rsplit_once("-v").map_or(name, |(name, _)| name)
}
