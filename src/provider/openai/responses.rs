//! OpenAI: `POST /v1/responses`.
//!
//! Sources: <https://developers.openai.com/api/docs/api-reference/responses>; the order of a stream's
//! events and the two events of an error in it as recorded in vercel/ai's fixtures.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    observation::Canaries,
    provider::{
        content::{MockToolCall, content_pieces, created, output_tokens, stem, tool_calls},
        failure::ProviderError,
        message::{MessageBody, json},
        request::{RequestedCall, model_asked},
    },
    scenario::{EventForm, ReplyEnd, SuccessReply},
};

pub(crate) fn reply(
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    if asked.stream {
        ("text/event-stream; charset=utf-8", stream(reply, asked, canaries))
    } else {
        json(&ended(&Output::of(reply, canaries), asked, canaries))
    }
}

/// The items of the output, and why it ends.
struct Output {
    items: Vec<OutputItem>,
    end: ReplyEnd,
    tokens: usize,
}

/// One item, in the pieces in which a stream sends it.
struct OutputItem {
    id: String,
    pieces: Vec<String>,
    /// The tool call that the pieces are arguments of.
    call: Option<MockToolCall>,
}

impl Output {
    fn of(reply: &SuccessReply, canaries: &Canaries) -> Self {
        let (pieces, calls) = (content_pieces(reply, canaries), tool_calls(reply, canaries));
        let tokens = output_tokens(&pieces, &calls);
        let text = (!pieces.is_empty()).then(|| OutputItem {
            id: format!("msg_{}", stem(canaries)),
            pieces,
            call: None,
        });
        let calls = calls.into_iter().map(|call| OutputItem {
            id: format!("fc_{}", call.id),
            pieces: call.pieces.clone(),
            call: Some(call),
        });
        Self { items: text.into_iter().chain(calls).collect(), end: reply.end(), tokens }
    }

    /// The final status of the last item and of the response.
    fn status(&self) -> &'static str {
        if self.end == ReplyEnd::Whole { "completed" } else { "incomplete" }
    }
}

impl OutputItem {
    fn shown(&self, status: &str, text: &str) -> Value {
        if let Some(call) = &self.call {
            return json!({
                "id": self.id,
                "type": "function_call",
                "status": status,
                "arguments": text,
                "call_id": format!("call_{}", call.id),
                "name": call.name,
            });
        }
        let content = if status == "in_progress" { json!([]) } else { json!([part(text)]) };
        json!({"id": self.id, "type": "message", "status": status, "content": content, "role": "assistant"})
    }
}

fn part(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

/// The response object, which a stream's first and last events contain as well.
fn response(asked: &RequestedCall, canaries: &Canaries, status: &str) -> Value {
    // The response repeats the request's parameters, with defaults for those that it leaves out.
    let given = |name: &str, default: Value| match &asked.body[name] {
        Value::Null => default,
        value => value.clone(),
    };
    json!({
        "id": format!("resp_{}", stem(canaries)),
        "object": "response",
        "created_at": created(),
        "status": status,
        "background": false,
        "completed_at": null,
        "error": null,
        "incomplete_details": null,
        "instructions": given("instructions", Value::Null),
        "max_output_tokens": given("max_output_tokens", Value::Null),
        "max_tool_calls": given("max_tool_calls", Value::Null),
        "model": model_asked(asked),
        "output": [],
        "parallel_tool_calls": given("parallel_tool_calls", json!(true)),
        "previous_response_id": given("previous_response_id", Value::Null),
        "prompt_cache_key": given("prompt_cache_key", Value::Null),
        "reasoning": given("reasoning", json!({"effort": null, "summary": null})),
        "safety_identifier": given("safety_identifier", Value::Null),
        "service_tier": "default",
        "store": given("store", json!(true)),
        "temperature": given("temperature", json!(1.0)),
        "text": given("text", json!({"format": {"type": "text"}, "verbosity": "medium"})),
        "tool_choice": given("tool_choice", json!("auto")),
        "tools": given("tools", json!([])),
        "top_logprobs": given("top_logprobs", json!(0)),
        "top_p": given("top_p", json!(1.0)),
        "truncation": given("truncation", json!("disabled")),
        "usage": null,
        "user": given("user", Value::Null),
        "metadata": given("metadata", json!({})),
    })
}

fn ended(output: &Output, asked: &RequestedCall, canaries: &Canaries) -> Value {
    let mut response = response(asked, canaries, output.status());
    let tokens = output.tokens;
    match output.end {
        ReplyEnd::Whole => response["completed_at"] = json!(created() + 1),
        ReplyEnd::Limit => response["incomplete_details"] = json!({"reason": "max_output_tokens"}),
        ReplyEnd::Filter => response["incomplete_details"] = json!({"reason": "content_filter"}),
    }
    let items = output.items.iter().map(|item| item.shown(output.status(), &item.pieces.concat()));
    response["output"] = items.collect();
    response["usage"] = json!({
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 9 + tokens,
    });
    response
}

fn stream(reply: &SuccessReply, asked: &RequestedCall, canaries: &Canaries) -> MessageBody {
    let output = Output::of(reply, canaries);
    let begun = response(asked, canaries, "in_progress");
    let mut events = Numbered::default();
    events.push("response.created", json!({ "response": begun }));
    events.push("response.in_progress", json!({ "response": begun }));
    for (index, item) in output.items.iter().enumerate() {
        let whole = item.pieces.concat();
        let added = json!({"output_index": index, "item": item.shown("in_progress", "")});
        events.push("response.output_item.added", added);
        if let Some(call) = &item.call {
            let place = json!({"item_id": item.id, "output_index": index});
            for piece in &item.pieces {
                let delta = with(&place, json!({ "delta": piece }));
                events.push("response.function_call_arguments.delta", delta);
            }
            let all = json!({"name": call.name, "arguments": whole});
            events.push("response.function_call_arguments.done", with(&place, all));
        } else {
            let place = json!({"item_id": item.id, "output_index": index, "content_index": 0});
            events.push("response.content_part.added", with(&place, json!({ "part": part("") })));
            for piece in &item.pieces {
                let delta = json!({"delta": piece, "logprobs": []});
                events.push("response.output_text.delta", with(&place, delta));
            }
            events.push("response.output_text.done", with(&place, json!({"text": whole, "logprobs": []})));
            events.push("response.content_part.done", with(&place, json!({ "part": part(&whole) })));
        }
        let done = json!({"output_index": index, "item": item.shown(output.status(), &whole)});
        events.push("response.output_item.done", done);
    }
    let last = json!({ "response": ended(&output, asked, canaries) });
    let terminator = event(&format!("response.{}", output.status()), events.frames.len(), &last);
    MessageBody::Events { events: events.frames, terminator: Some(terminator) }
}

/// The events in order, each with its sequence number.
#[derive(Default)]
struct Numbered {
    frames: Vec<Bytes>,
}

impl Numbered {
    fn push(&mut self, kind: &str, members: Value) {
        self.frames.push(event(kind, self.frames.len(), &members));
    }
}

fn event(kind: &str, number: usize, members: &Value) -> Bytes {
    let data = with(&json!({"type": kind, "sequence_number": number}), members.clone());
    format!("event: {kind}\ndata: {data}\n\n").into()
}

fn with(first: &Value, then: Value) -> Value {
    let mut members = first.as_object().cloned().unwrap_or_default();
    if let Value::Object(then) = then {
        members.extend(then);
    }
    Value::Object(members)
}

/// Returns an error as an event of a stream that has begun. In the recorded form, the event is followed by the
/// failed response.
pub(crate) fn error_event(
    failure: &ProviderError<'_>,
    form: Option<EventForm>,
    canaries: &Canaries,
) -> Bytes {
    let number = failure.after;
    let row = failure.row;
    let code = if row.code.is_null() { json!(row.kind) } else { row.code.clone() };
    let nested = match &failure.error["error"] {
        // If the error body has no code, the event has the type in its place.
        error @ Value::Object(_) => with(error, json!({ "code": code })),
        _ => json!({"type": row.kind, "code": code, "message": failure.text, "param": row.param}),
    };
    let failed = |number| {
        let mut response = response(failure.asked, canaries, "failed");
        let code = if code.is_null() { json!("server_error") } else { code.clone() };
        response["error"] = json!({"code": code, "message": failure.text});
        event("response.failed", number, &json!({ "response": response }))
    };
    match form {
        Some(EventForm::Flat) => {
            let members = json!({"code": code, "message": failure.text, "param": row.param});
            event("error", number, &members)
        }
        Some(EventForm::Failed) => failed(number),
        Some(EventForm::Named) => event("error", number, &json!({ "error": nested })),
        Some(EventForm::Unnamed | EventForm::Bare) => super::chat::error_event(&failure.error, form),
        _ => [event("error", number, &json!({ "error": nested })), failed(number + 1)].concat().into(),
    }
}
