//! Anthropic: `POST /v1/messages`.
//!
//! A stream's frames are, in this order: `message_start`, `content_block_start`, one `ping`, a
//! `content_block_delta` for each piece, `content_block_stop`, `message_delta`; and `message_stop`
//! as the terminator. So the first piece is always the fourth frame.
//!
//! Source: <https://platform.claude.com/docs/en/api/messages>, …/build-with-claude/streaming

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    observation::Canaries,
    provider::{
        content::{MockToolCall, content_pieces, output_tokens, stem, tool_calls},
        message::{MessageBody, json},
        request::{RequestedCall, model_asked},
    },
    scenario::{ReplyEnd, SuccessReply},
};

pub(crate) fn reply(
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    let content = Content::of(reply, canaries);
    if asked.stream {
        ("text/event-stream; charset=utf-8", stream(&content, asked, canaries))
    } else {
        json(&message(&content, asked, canaries))
    }
}

/// The content of a response.
struct Content {
    blocks: Vec<Block>,
    stop_reason: &'static str,
    tokens: usize,
}

/// A block, in the pieces in which a stream sends it.
struct Block {
    pieces: Vec<String>,
    /// The tool call that the pieces are arguments of.
    call: Option<MockToolCall>,
}

impl Content {
    fn of(reply: &SuccessReply, canaries: &Canaries) -> Self {
        let (pieces, calls) = (content_pieces(reply, canaries), tool_calls(reply, canaries));
        let stop_reason = match reply.end() {
            ReplyEnd::Limit => "max_tokens",
            ReplyEnd::Filter => "refusal",
            ReplyEnd::Whole if !calls.is_empty() => "tool_use",
            ReplyEnd::Whole => "end_turn",
        };
        let tokens = output_tokens(&pieces, &calls);
        let text = (!pieces.is_empty()).then_some(Block { pieces, call: None });
        let calls = calls.into_iter().map(|call| Block { pieces: call.pieces.clone(), call: Some(call) });
        Self { blocks: text.into_iter().chain(calls).collect(), stop_reason, tokens }
    }
}

impl Block {
    /// The block at the start of a stream: empty.
    fn start(&self) -> Value {
        match &self.call {
            Some(call) => {
                json!({"type": "tool_use", "id": format!("toolu_{}", call.id), "name": call.name, "input": {}})
            }
            None => json!({"type": "text", "text": ""}),
        }
    }

    /// The complete block.
    fn whole(&self) -> Value {
        let mut block = self.start();
        match &self.call {
            Some(call) => block["input"] = call.arguments(),
            None => block["text"] = self.pieces.concat().into(),
        }
        block
    }
}

fn message(content: &Content, asked: &RequestedCall, canaries: &Canaries) -> Value {
    let mut message = envelope(asked, canaries, content.tokens);
    message["content"] = content.blocks.iter().map(Block::whole).collect();
    message["stop_reason"] = content.stop_reason.into();
    message
}

/// A message without content.
fn envelope(asked: &RequestedCall, canaries: &Canaries, output_tokens: usize) -> Value {
    json!({
        "id": format!("msg_{}", stem(canaries)),
        "type": "message",
        "role": "assistant",
        "model": model_asked(asked),
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {
            "input_tokens": 9,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": output_tokens,
            "service_tier": "standard",
        },
    })
}

fn stream(content: &Content, asked: &RequestedCall, canaries: &Canaries) -> MessageBody {
    // The first event of a stream counts only the output tokens so far.
    let message = envelope(asked, canaries, 1);
    let mut events = vec![event("message_start", json!({"message": message}))];
    for (index, block) in content.blocks.iter().enumerate() {
        events.push(event("content_block_start", json!({"index": index, "content_block": block.start()})));
        if index == 0 {
            events.push(event("ping", json!({})));
        }
        let (kind, member) = match block.call {
            Some(_) => ("input_json_delta", "partial_json"),
            None => ("text_delta", "text"),
        };
        // A reply can have ten thousand pieces, so the part that all deltas share is serialized once.
        let stem = format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":{index},\
             \"delta\":{{\"type\":\"{kind}\",\"{member}\":"
        );
        events
            .extend(block.pieces.iter().map(|piece| Bytes::from(format!("{stem}{}}}}}\n\n", json!(piece)))));
        events.push(event("content_block_stop", json!({"index": index})));
    }
    let usage = json!({
        "input_tokens": 9,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": content.tokens,
    });
    let delta = json!({"stop_reason": content.stop_reason, "stop_sequence": null});
    events.push(event("message_delta", json!({"delta": delta, "usage": usage})));
    MessageBody::Events { events, terminator: Some(event("message_stop", json!({}))) }
}

/// An event whose data repeats its name in `type`.
fn event(name: &str, members: Value) -> Bytes {
    let mut data = json!({"type": name});
    if let (Some(data), Value::Object(members)) = (data.as_object_mut(), members) {
        data.extend(members);
    }
    format!("event: {name}\ndata: {data}\n\n").into()
}
