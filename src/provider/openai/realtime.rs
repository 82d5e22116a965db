//! OpenAI: `GET /v1/realtime`, a session over a WebSocket.
//!
//! Sources: <https://developers.openai.com/api/docs/guides/realtime-websocket> and the reference of server
//! events, <https://developers.openai.com/api/reference/resources/realtime>. The caller gets text, so that
//! the content can be compared; the order of events is the same as with audio.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    observation::Canaries,
    provider::{
        content::{MockToolCall, content_pieces, created, output_tokens, stem, tool_calls},
        failure::ProviderError,
        message::MessageBody,
        request::{RequestedCall, model_asked},
    },
    scenario::{ReplyEnd, SuccessReply},
    wire::websocket,
};

/// The client event that requests a response.
const AWAITED: &str = "response.create";

/// Returns a session with one response.
pub(crate) fn reply(reply: &SuccessReply, asked: &RequestedCall, canaries: &Canaries) -> MessageBody {
    let mut events = Events { stem: stem(canaries), n: 0, frames: Vec::new() };
    events.push("session.created", json!({ "session": session(asked, canaries) }));
    let opening = std::mem::take(&mut events.frames);

    let (pieces, calls) = (content_pieces(reply, canaries), tool_calls(reply, canaries));
    let tokens = output_tokens(&pieces, &calls);
    let text = (!pieces.is_empty()).then_some((pieces, None));
    let items = text.into_iter().chain(calls.into_iter().map(|call| (call.pieces.clone(), Some(call))));
    let begun = response("in_progress", json!([]), Value::Null, canaries);
    events.push("response.created", json!({ "response": begun }));
    let mut output = Vec::new();
    for (index, (pieces, call)) in items.enumerate() {
        let whole = pieces.concat();
        let id = format!("item_{}", call.as_ref().map_or(stem(canaries), |call| &call.id));
        let item = |status: &str, text: &str| item(&id, call.as_ref(), status, text);
        let place = json!({"response_id": begun["id"], "output_index": index});
        let added = item("in_progress", "");
        events.push("response.output_item.added", with(&place, json!({ "item": added })));
        events.push("conversation.item.added", json!({"previous_item_id": null, "item": added}));
        let part_place = with(&place, json!({ "item_id": id }));
        if let Some(call) = &call {
            let place = with(&part_place, json!({ "call_id": format!("call_{}", call.id) }));
            for piece in &pieces {
                let delta = with(&place, json!({ "delta": piece }));
                events.push("response.function_call_arguments.delta", delta);
            }
            let all = with(&place, json!({ "arguments": whole }));
            events.push("response.function_call_arguments.done", all);
        } else {
            let place = with(&part_place, json!({ "content_index": 0 }));
            let part = |text: &str| json!({"part": {"type": "text", "text": text}});
            events.push("response.content_part.added", with(&place, part("")));
            for piece in &pieces {
                events.push("response.output_text.delta", with(&place, json!({ "delta": piece })));
            }
            events.push("response.output_text.done", with(&place, json!({ "text": whole })));
            events.push("response.content_part.done", with(&place, part(&whole)));
        }
        let done = item(status(reply), &whole);
        events.push("conversation.item.done", json!({"previous_item_id": null, "item": done}));
        events.push("response.output_item.done", with(&place, json!({ "item": done })));
        output.push(done);
    }
    let usage = json!({
        "total_tokens": 9 + tokens,
        "input_tokens": 9,
        "output_tokens": tokens,
        "input_token_details": {"text_tokens": 9, "audio_tokens": 0, "image_tokens": 0, "cached_tokens": 0},
        "output_token_details": {"text_tokens": tokens, "audio_tokens": 0},
    });
    let mut done = response(status(reply), output.into(), usage, canaries);
    let reason = match reply.end() {
        ReplyEnd::Whole => None,
        ReplyEnd::Limit => Some("max_output_tokens"),
        ReplyEnd::Filter => Some("content_filter"),
    };
    if let Some(reason) = reason {
        done["status_details"] = json!({"type": "incomplete", "reason": reason});
    }
    let last = events.frame("response.done", json!({ "response": done }));
    MessageBody::Session { opening, awaited: AWAITED, events: events.frames, last }
}

/// The events of a session, each with its own id.
struct Events<'a> {
    stem: &'a str,
    n: usize,
    frames: Vec<Bytes>,
}

impl Events<'_> {
    fn push(&mut self, kind: &str, members: Value) {
        let frame = self.frame(kind, members);
        self.frames.push(frame);
    }

    fn frame(&mut self, kind: &str, members: Value) -> Bytes {
        self.n += 1;
        let id = format!("event_{}-{}", self.stem, self.n);
        websocket::text(&with(&json!({"type": kind, "event_id": id}), members).to_string())
    }
}

fn with(members: &Value, more: Value) -> Value {
    let mut all = members.clone();
    if let (Value::Object(all), Value::Object(more)) = (&mut all, more) {
        all.extend(more);
    }
    all
}

/// The final status of an item and of a response.
fn status(reply: &SuccessReply) -> &'static str {
    if reply.end() == ReplyEnd::Whole { "completed" } else { "incomplete" }
}

fn item(id: &str, call: Option<&MockToolCall>, status: &str, text: &str) -> Value {
    let common = json!({"id": id, "object": "realtime.item", "status": status});
    if let Some(call) = call {
        let call_id = format!("call_{}", call.id);
        return with(
            &common,
            json!({"type": "function_call", "name": call.name, "call_id": call_id, "arguments": text}),
        );
    }
    let content =
        if status == "in_progress" { json!([]) } else { json!([{"type": "output_text", "text": text}]) };
    with(&common, json!({"type": "message", "role": "assistant", "content": content}))
}

fn response(status: &str, output: Value, usage: Value, canaries: &Canaries) -> Value {
    json!({
        "object": "realtime.response",
        "id": format!("resp_{}", stem(canaries)),
        "status": status,
        "status_details": null,
        "output": output,
        "conversation_id": format!("conv_{}", stem(canaries)),
        "output_modalities": ["text"],
        "max_output_tokens": "inf",
        "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}},
        "usage": usage,
        "metadata": null,
    })
}

fn session(asked: &RequestedCall, canaries: &Canaries) -> Value {
    json!({
        "type": "realtime",
        "object": "realtime.session",
        "id": format!("sess_{}", stem(canaries)),
        "model": model_asked(asked),
        "output_modalities": ["audio"],
        "instructions": "",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": null,
        "truncation": "auto",
        "prompt": null,
        "expires_at": created() + 3600,
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": null,
                "noise_reduction": null,
                "turn_detection": {
                    "type": "server_vad",
                    "threshold": 0.5,
                    "prefix_padding_ms": 300,
                    "silence_duration_ms": 200,
                    "idle_timeout_ms": null,
                    "create_response": true,
                    "interrupt_response": true,
                },
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy", "speed": 1.0},
        },
        "include": null,
    })
}

/// Returns an error as an event: the error object of a body, with the id of the client event that caused it.
pub(crate) fn error_event(failure: &ProviderError<'_>, canaries: &Canaries) -> Bytes {
    let error = &failure.error["error"];
    let event = json!({
        "type": "error",
        "event_id": format!("event_{}-{}", stem(canaries), failure.after + 1),
        "error": {
            "type": error["type"],
            "code": error["code"],
            "message": failure.text,
            "param": error["param"],
            "event_id": null,
        },
    });
    websocket::text(&event.to_string())
}
