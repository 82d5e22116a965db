//! `POST /model/{model}/converse` and `/converse-stream`.
//!
//! Source: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and
//! `API_runtime_ConverseStream.html` in the same directory.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    content_block::{ContentBlock, ContentKind, INPUT_TOKENS, LATENCY_MS, TOOL, call_id},
    frame,
};
use crate::{
    observation::Canaries,
    provider::{
        message::{MessageBody, json},
        request::RequestedCall,
    },
};

pub(super) fn reply(
    content_block: &ContentBlock,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    if asked.stream {
        (frame::CONTENT_TYPE, stream(content_block, canaries))
    } else {
        json(&whole(content_block, canaries))
    }
}

fn whole(content_block: &ContentBlock, canaries: &Canaries) -> Value {
    let content = match content_block.kind {
        ContentKind::ToolCall => {
            let id = call_id("tooluse_", canaries);
            json!({"toolUse": {"input": content_block.arguments(), "name": TOOL, "toolUseId": id}})
        }
        ContentKind::Text | ContentKind::Limited | ContentKind::Blocked => {
            json!({"text": content_block.text()})
        }
    };
    json!({
        "metrics": {"latencyMs": LATENCY_MS},
        "output": {"message": {"content": [content], "role": "assistant"}},
        "stopReason": stop_reason(content_block),
        "usage": usage(content_block),
    })
}

fn stream(content_block: &ContentBlock, canaries: &Canaries) -> MessageBody {
    let mut events = vec![event("messageStart", json!({"role": "assistant"}))];
    // A text block begins with its first delta; only a tool call has a start event, which contains its name.
    if content_block.kind == ContentKind::ToolCall {
        let tool = json!({"toolUse": {"name": TOOL, "toolUseId": call_id("tooluse_", canaries)}});
        events.push(event("contentBlockStart", json!({"contentBlockIndex": 0, "start": tool})));
    }
    events.extend(deltas(content_block));
    events.push(block_stop());
    MessageBody::Events { events, terminator: Some(end(content_block)) }
}

/// The rest of a stream in which a guardrail intervenes.
pub(super) fn blocked_event(content_block: &ContentBlock) -> Bytes {
    deltas(content_block).chain([block_stop(), end(content_block)]).collect::<Vec<_>>().concat().into()
}

fn deltas(content_block: &ContentBlock) -> impl Iterator<Item = Bytes> {
    content_block.pieces.iter().map(|piece| {
        let delta = match content_block.kind {
            ContentKind::ToolCall => json!({"toolUse": {"input": piece}}),
            ContentKind::Text | ContentKind::Limited | ContentKind::Blocked => json!({"text": piece}),
        };
        event("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": delta}))
    })
}

fn block_stop() -> Bytes {
    event("contentBlockStop", json!({"contentBlockIndex": 0}))
}

/// The two messages that complete a stream.
fn end(content_block: &ContentBlock) -> Bytes {
    let metadata = json!({"metrics": {"latencyMs": LATENCY_MS}, "usage": usage(content_block)});
    [event("messageStop", json!({"stopReason": stop_reason(content_block)})), event("metadata", metadata)]
        .concat()
        .into()
}

fn event(name: &str, mut payload: Value) -> Bytes {
    payload["p"] = frame::PADDING.into();
    frame::event(name, &payload)
}

fn stop_reason(content_block: &ContentBlock) -> &'static str {
    match content_block.kind {
        ContentKind::Text => "end_turn",
        ContentKind::Limited => "max_tokens",
        ContentKind::ToolCall => "tool_use",
        ContentKind::Blocked => "guardrail_intervened",
    }
}

fn usage(content_block: &ContentBlock) -> Value {
    let output = content_block.output_tokens();
    json!({"inputTokens": INPUT_TOKENS, "outputTokens": output, "totalTokens": INPUT_TOKENS + output})
}
