//! `POST /model/{model}/converse` and `/converse-stream`.
//!
//! Source: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and
//! `API_runtime_ConverseStream.html` beside it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    content_block::{ContentBlock, ContentKind, INPUT_TOKENS, LATENCY_MS, TOOL, call_id},
    frame,
};
use crate::{
    observation::Canaries,
    provider::{dialect::json, message::MessageBody, request::RequestedCall},
};

pub(super) fn reply(
    said: &ContentBlock,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    if asked.stream { (frame::CONTENT_TYPE, stream(said, canaries)) } else { json(&whole(said, canaries)) }
}

fn whole(said: &ContentBlock, canaries: &Canaries) -> Value {
    let content = match said.kind {
        ContentKind::ToolCall => {
            let id = call_id("tooluse_", canaries);
            json!({"toolUse": {"input": said.arguments(), "name": TOOL, "toolUseId": id}})
        }
        ContentKind::Text | ContentKind::Limited | ContentKind::Blocked => json!({"text": said.text()}),
    };
    json!({
        "metrics": {"latencyMs": LATENCY_MS},
        "output": {"message": {"content": [content], "role": "assistant"}},
        "stopReason": stop_reason(said),
        "usage": usage(said),
    })
}

fn stream(said: &ContentBlock, canaries: &Canaries) -> MessageBody {
    let mut events = vec![event("messageStart", json!({"role": "assistant"}))];
    // A block of text begins with its first delta; only what has a name is announced.
    if said.kind == ContentKind::ToolCall {
        let tool = json!({"toolUse": {"name": TOOL, "toolUseId": call_id("tooluse_", canaries)}});
        events.push(event("contentBlockStart", json!({"contentBlockIndex": 0, "start": tool})));
    }
    events.extend(deltas(said));
    events.push(block_stop());
    MessageBody::Events { events, terminator: Some(end(said)) }
}

/// What is left of a stream in which a guardrail steps in.
pub(super) fn blocked_event(said: &ContentBlock) -> Bytes {
    deltas(said).chain([block_stop(), end(said)]).collect::<Vec<_>>().concat().into()
}

fn deltas(said: &ContentBlock) -> impl Iterator<Item = Bytes> {
    said.pieces.iter().map(|piece| {
        let delta = match said.kind {
            ContentKind::ToolCall => json!({"toolUse": {"input": piece}}),
            ContentKind::Text | ContentKind::Limited | ContentKind::Blocked => json!({"text": piece}),
        };
        event("contentBlockDelta", json!({"contentBlockIndex": 0, "delta": delta}))
    })
}

fn block_stop() -> Bytes {
    event("contentBlockStop", json!({"contentBlockIndex": 0}))
}

/// Both messages that say that a stream is complete.
fn end(said: &ContentBlock) -> Bytes {
    let metadata = json!({"metrics": {"latencyMs": LATENCY_MS}, "usage": usage(said)});
    [event("messageStop", json!({"stopReason": stop_reason(said)})), event("metadata", metadata)]
        .concat()
        .into()
}

fn event(name: &str, mut payload: Value) -> Bytes {
    payload["p"] = frame::PADDING.into();
    frame::event(name, &payload)
}

fn stop_reason(said: &ContentBlock) -> &'static str {
    match said.kind {
        ContentKind::Text => "end_turn",
        ContentKind::Limited => "max_tokens",
        ContentKind::ToolCall => "tool_use",
        ContentKind::Blocked => "guardrail_intervened",
    }
}

fn usage(said: &ContentBlock) -> Value {
    let output = said.output_tokens();
    json!({"inputTokens": INPUT_TOKENS, "outputTokens": output, "totalTokens": INPUT_TOKENS + output})
}
