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
        content::{content_pieces, stem, tool_argument_pieces},
        failure::ProviderError,
        message::{MessageBody, json},
        request::RequestedCall,
    },
    scenario::{EventForm, SuccessReply},
    wire::sse,
};

const TOOL: &str = "get_weather";

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

/// The finish reason of a text.
const fn finish_reason(reply: &SuccessReply) -> &'static str {
    if reply.is_cut_by_limit() { "MAX_TOKENS" } else { "COMPLETE" }
}

fn whole(reply: &SuccessReply, canaries: &Canaries) -> Value {
    let (message, finish, tokens) = match reply {
        SuccessReply::ToolCall => {
            let pieces = tool_argument_pieces(canaries);
            let message = json!({
                "role": "assistant",
                "tool_plan": PLAN,
                "tool_calls": [call(&pieces.concat(), canaries)],
            });
            (message, "TOOL_CALL", pieces.len())
        }
        SuccessReply::Ok | SuccessReply::Chunks(_) | SuccessReply::NonAscii | SuccessReply::MaxTokens => {
            let pieces = content_pieces(reply, canaries);
            let content = json!({"type": "text", "text": pieces.concat()});
            (json!({"role": "assistant", "content": [content]}), finish_reason(reply), pieces.len())
        }
    };
    json!({"id": stem(canaries), "finish_reason": finish, "message": message, "usage": usage(tokens)})
}

fn call(arguments: &str, canaries: &Canaries) -> Value {
    json!({
        "id": format!("{TOOL}_{}", stem(canaries)),
        "type": "function",
        "function": {"name": TOOL, "arguments": arguments},
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
    let (finish, tokens) = match reply {
        SuccessReply::ToolCall => {
            let plan = json!({"message": {"tool_plan": PLAN}});
            events.push(event(&json!({"type": "tool-plan-delta", "delta": plan})));
            let call = json!({"message": {"tool_calls": call("", canaries)}});
            events.push(event(&json!({"type": "tool-call-start", "index": 0, "delta": call})));
            let pieces = tool_argument_pieces(canaries);
            events.extend(pieces.iter().map(|piece| {
                let delta = json!({"message": {"tool_calls": {"function": {"arguments": piece}}}});
                event(&json!({"type": "tool-call-delta", "index": 0, "delta": delta}))
            }));
            events.push(event(&json!({"type": "tool-call-end", "index": 0})));
            ("TOOL_CALL", pieces.len())
        }
        SuccessReply::Ok | SuccessReply::Chunks(_) | SuccessReply::NonAscii | SuccessReply::MaxTokens => {
            let content = json!({"message": {"content": {"type": "text", "text": ""}}});
            events.push(event(&json!({"type": "content-start", "index": 0, "delta": content})));
            let pieces = content_pieces(reply, canaries);
            events.extend(pieces.iter().map(|piece| {
                let delta = json!({"message": {"content": {"text": piece}}});
                event(&json!({"type": "content-delta", "index": 0, "delta": delta}))
            }));
            events.push(event(&json!({"type": "content-end", "index": 0})));
            (finish_reason(reply), pieces.len())
        }
    };
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
