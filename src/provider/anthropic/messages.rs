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
        content::{content_pieces, stem, tool_argument_pieces},
        message::{MessageBody, json},
        request::{RequestedCall, model_asked},
    },
    scenario::SuccessReply,
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

/// The only content block of a response.
struct Content {
    pieces: Vec<String>,
    tool: bool,
    /// Whether the token limit cut the text off.
    limited: bool,
}

impl Content {
    fn of(reply: &SuccessReply, canaries: &Canaries) -> Self {
        let tool = matches!(reply, SuccessReply::ToolCall);
        let pieces = if tool { tool_argument_pieces(canaries) } else { content_pieces(reply, canaries) };
        Self { pieces, tool, limited: reply.is_cut_by_limit() }
    }

    /// The block at the start of a stream: empty.
    fn start(&self, canaries: &Canaries) -> Value {
        if self.tool {
            let id = format!("toolu_{}", stem(canaries));
            json!({"type": "tool_use", "id": id, "name": "get_weather", "input": {}})
        } else {
            json!({"type": "text", "text": ""})
        }
    }

    /// The complete block.
    fn whole(&self, canaries: &Canaries) -> Value {
        let mut block = self.start(canaries);
        let text = self.pieces.concat();
        if self.tool {
            block["input"] = serde_json::from_str(&text).unwrap_or_default();
        } else {
            block["text"] = text.into();
        }
        block
    }

    fn stop_reason(&self) -> &'static str {
        match self {
            Self { tool: true, .. } => "tool_use",
            Self { limited: true, .. } => "max_tokens",
            _ => "end_turn",
        }
    }
}

fn message(content: &Content, asked: &RequestedCall, canaries: &Canaries) -> Value {
    let mut message = envelope(asked, canaries, content.pieces.len());
    message["content"] = json!([content.whole(canaries)]);
    message["stop_reason"] = content.stop_reason().into();
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
    let mut events = vec![
        event("message_start", json!({"message": message})),
        event("content_block_start", json!({"index": 0, "content_block": content.start(canaries)})),
        event("ping", json!({})),
    ];
    let (kind, member) =
        if content.tool { ("input_json_delta", "partial_json") } else { ("text_delta", "text") };
    // A reply can have ten thousand pieces, so the part that all deltas share is serialized once.
    let stem = format!(
        "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\
         \"delta\":{{\"type\":\"{kind}\",\"{member}\":"
    );
    events.extend(content.pieces.iter().map(|piece| Bytes::from(format!("{stem}{}}}}}\n\n", json!(piece)))));
    events.push(event("content_block_stop", json!({"index": 0})));
    let usage = json!({
        "input_tokens": 9,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": content.pieces.len(),
    });
    let delta = json!({"stop_reason": content.stop_reason(), "stop_sequence": null});
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
