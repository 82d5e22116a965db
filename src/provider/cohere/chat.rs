//! `POST /v2/chat`.
//!
//! Sources: <https://docs.cohere.com/reference/chat> and
//! <https://docs.cohere.com/reference/chat-stream>; the types of cohere-python 7.3.1
//! (`v2chat_response.py`, `v2chat_stream_response.py`).

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    observation::Canaries,
    provider::{
        content::{MockToolCall, content_pieces, output_tokens, stem, tool_calls},
        failure::ProviderError,
        message::{MessageBody, json},
        request::RequestedCall,
    },
    scenario::{EventForm, ReplyEnd, SuccessReply},
    wire::sse,
};

/// The model's plan, a text that precedes a tool call.
const PLAN: &str = "I will look the weather up.";

const INPUT_TOKENS: usize = 9;

pub(crate) fn reply(
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    if asked.stream { ("text/event-stream", stream(reply, canaries)) } else { json(&whole(reply, canaries)) }
}

/// The finish reason of a reply with these tool calls. There is none for a filter.
const fn finish_reason(reply: &SuccessReply, calls: &[MockToolCall]) -> &'static str {
    match reply.end() {
        ReplyEnd::Limit => "MAX_TOKENS",
        ReplyEnd::Whole | ReplyEnd::Filter if !calls.is_empty() => "TOOL_CALL",
        ReplyEnd::Whole | ReplyEnd::Filter => "COMPLETE",
    }
}

fn whole(reply: &SuccessReply, canaries: &Canaries) -> Value {
    let (pieces, calls) = (content_pieces(reply, canaries), tool_calls(reply, canaries));
    let mut message = json!({"role": "assistant"});
    if !pieces.is_empty() {
        message["content"] = json!([{"type": "text", "text": pieces.concat()}]);
    }
    if !calls.is_empty() {
        message["tool_plan"] = PLAN.into();
        message["tool_calls"] = calls.iter().map(|one| call(one, &one.text())).collect();
    }
    let (finish, tokens) = (finish_reason(reply, &calls), output_tokens(&pieces, &calls));
    json!({"id": stem(canaries), "finish_reason": finish, "message": message, "usage": usage(tokens)})
}

fn call(call: &MockToolCall, arguments: &str) -> Value {
    json!({
        "id": format!("{}_{}", call.name, call.id),
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    })
}

fn stream(reply: &SuccessReply, canaries: &Canaries) -> MessageBody {
    // The lists of a message are present from the beginning, and empty.
    let message = json!({
        "role": "assistant",
        "content": [],
        "tool_plan": "",
        "tool_calls": [],
        "citations": [],
    });
    let start = json!({"id": stem(canaries), "type": "message-start", "delta": {"message": message}});
    let mut events = vec![event(&start)];
    let (pieces, calls) = (content_pieces(reply, canaries), tool_calls(reply, canaries));
    if !pieces.is_empty() {
        let content = json!({"message": {"content": {"type": "text", "text": ""}}});
        events.push(event(&json!({"type": "content-start", "index": 0, "delta": content})));
        events.extend(pieces.iter().map(|piece| {
            let delta = json!({"message": {"content": {"text": piece}}});
            event(&json!({"type": "content-delta", "index": 0, "delta": delta}))
        }));
        events.push(event(&json!({"type": "content-end", "index": 0})));
    }
    if !calls.is_empty() {
        let plan = json!({"message": {"tool_plan": PLAN}});
        events.push(event(&json!({"type": "tool-plan-delta", "delta": plan})));
    }
    for (index, one) in calls.iter().enumerate() {
        let start = json!({"message": {"tool_calls": call(one, "")}});
        events.push(event(&json!({"type": "tool-call-start", "index": index, "delta": start})));
        events.extend(one.pieces.iter().map(|piece| {
            let delta = json!({"message": {"tool_calls": {"function": {"arguments": piece}}}});
            event(&json!({"type": "tool-call-delta", "index": index, "delta": delta}))
        }));
        events.push(event(&json!({"type": "tool-call-end", "index": index})));
    }
    let (finish, tokens) = (finish_reason(reply, &calls), output_tokens(&pieces, &calls));
    let delta = json!({"finish_reason": finish, "usage": usage(tokens)});
    let end = event(&json!({"type": "message-end", "delta": delta}));
    let terminator = [&end[..], b"data: [DONE]\n\n"].concat().into();
    MessageBody::Events { events, terminator: Some(terminator) }
}

/// Returns an error as an event of a stream that has begun: the end of the message, with the error text.
///
/// [`EventForm::Unnamed`] leaves the `event:` line out; [`EventForm::Bare`] is the error's body on its own line,
/// as a server in front of Cohere would write it.
pub(crate) fn error_event(failure: &ProviderError<'_>, form: Option<EventForm>) -> Bytes {
    let delta = json!({"error": failure.text, "finish_reason": "ERROR"});
    let end = json!({"type": "message-end", "delta": delta});
    match form {
        Some(EventForm::Bare) => format!("{}\n", failure.error).into(),
        Some(EventForm::Unnamed) => sse::encode(None, &end.to_string()).into(),
        _ => event(&end),
    }
}

/// An event whose name is the `type` of its data.
fn event(data: &Value) -> Bytes {
    sse::encode(data["type"].as_str(), &data.to_string()).into()
}

fn usage(output_tokens: usize) -> Value {
    let tokens = json!({"input_tokens": INPUT_TOKENS, "output_tokens": output_tokens});
    json!({"billed_units": tokens, "tokens": tokens})
}
