//! `POST /model/{model}/converse` and `/converse-stream`.
//!
//! Source: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and
//! `API_runtime_ConverseStream.html` in the same directory.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    content_block::{BedrockContent, ContentEnd, INPUT_TOKENS, LATENCY_MS},
    frame,
};
use crate::provider::{
    message::{MessageBody, json},
    request::RequestedCall,
};

pub(super) fn reply(content: &BedrockContent, asked: &RequestedCall) -> (&'static str, MessageBody) {
    if asked.stream { (frame::CONTENT_TYPE, stream(content)) } else { json(&whole(content)) }
}

fn whole(content: &BedrockContent) -> Value {
    let blocks: Vec<Value> = content
        .blocks
        .iter()
        .map(|block| match &block.call {
            Some(call) => {
                let id = format!("tooluse_{}", call.id);
                json!({"toolUse": {"input": call.arguments(), "name": call.name, "toolUseId": id}})
            }
            None => json!({"text": block.text()}),
        })
        .collect();
    json!({
        "metrics": {"latencyMs": LATENCY_MS},
        "output": {"message": {"content": blocks, "role": "assistant"}},
        "stopReason": stop_reason(content),
        "usage": usage(content),
    })
}

fn stream(content: &BedrockContent) -> MessageBody {
    let mut events = vec![event("messageStart", json!({"role": "assistant"}))];
    events.extend(blocks(content));
    MessageBody::Events { events, terminator: Some(end(content)) }
}

/// The rest of a stream in which a guardrail intervenes.
pub(super) fn blocked_event(content: &BedrockContent) -> Bytes {
    blocks(content).chain([end(content)]).collect::<Vec<_>>().concat().into()
}

fn blocks(content: &BedrockContent) -> impl Iterator<Item = Bytes> {
    content.blocks.iter().enumerate().flat_map(|(index, block)| {
        // A text block begins with its first delta; only a tool call has a start event, which contains its name.
        let start = block.call.as_ref().map(|call| {
            let tool = json!({"toolUse": {"name": call.name, "toolUseId": format!("tooluse_{}", call.id)}});
            event("contentBlockStart", json!({"contentBlockIndex": index, "start": tool}))
        });
        let is_call = block.call.is_some();
        let deltas = block.pieces.iter().map(move |piece| {
            let delta = if is_call { json!({"toolUse": {"input": piece}}) } else { json!({"text": piece}) };
            event("contentBlockDelta", json!({"contentBlockIndex": index, "delta": delta}))
        });
        let stop = event("contentBlockStop", json!({ "contentBlockIndex": index }));
        start.into_iter().chain(deltas).chain([stop])
    })
}

/// The two messages that complete a stream.
fn end(content: &BedrockContent) -> Bytes {
    let metadata = json!({"metrics": {"latencyMs": LATENCY_MS}, "usage": usage(content)});
    [event("messageStop", json!({"stopReason": stop_reason(content)})), event("metadata", metadata)]
        .concat()
        .into()
}

fn event(name: &str, mut payload: Value) -> Bytes {
    payload["p"] = frame::PADDING.into();
    frame::event(name, &payload)
}

fn stop_reason(content: &BedrockContent) -> &'static str {
    match content.end {
        ContentEnd::Whole => "end_turn",
        ContentEnd::Limited => "max_tokens",
        ContentEnd::ToolCalls => "tool_use",
        ContentEnd::Filtered => "content_filtered",
        ContentEnd::Blocked => "guardrail_intervened",
    }
}

fn usage(content: &BedrockContent) -> Value {
    let output = content.output_tokens;
    json!({"inputTokens": INPUT_TOKENS, "outputTokens": output, "totalTokens": INPUT_TOKENS + output})
}
