//! OpenAI: `POST /v1/completions`, text without roles.
//!
//! Source: <https://developers.openai.com/api/docs/api-reference/completions>. The endpoint has no
//! tools, so that a scenario's tool call is text here.

use bytes::Bytes;
use serde_json::{Value, json};

use super::chat::finish_reason;
use crate::{
    observation::Canaries,
    provider::{
        content::{content_pieces, created, stem},
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
    let pieces = text_pieces(reply, canaries);
    let finish = finish_reason(reply);
    if asked.stream {
        ("text/event-stream; charset=utf-8", stream(&pieces, finish, asked, canaries))
    } else {
        let mut completion = completion(asked, canaries, &pieces.concat(), Some(finish));
        completion["usage"] = usage(pieces.len());
        json(&completion)
    }
}

/// The pieces of a reply at an endpoint that supports only text.
pub(super) fn text_pieces(reply: &SuccessReply, canaries: &Canaries) -> Vec<String> {
    let pieces = content_pieces(reply, canaries);
    if pieces.is_empty() { content_pieces(&SuccessReply::Ok, canaries) } else { pieces }
}

fn completion(asked: &RequestedCall, canaries: &Canaries, text: &str, finish: Option<&str>) -> Value {
    json!({
        "id": format!("cmpl-{}", stem(canaries)),
        "object": "text_completion",
        "created": created(),
        "model": model_asked(asked),
        "choices": [{"text": text, "index": 0, "logprobs": null, "finish_reason": finish}],
        "system_fingerprint": null,
    })
}

fn stream(pieces: &[String], finish: &str, asked: &RequestedCall, canaries: &Canaries) -> MessageBody {
    let with_usage = asked.with_usage;
    let event = |mut chunk: Value, usage: Value| {
        // With include_usage every chunk has the member, which is null in all but the last.
        if with_usage {
            chunk["usage"] = usage;
        }
        Bytes::from(format!("data: {chunk}\n\n"))
    };
    let chunk = |text: &str, finish| event(completion(asked, canaries, text, finish), Value::Null);
    let mut events: Vec<_> = pieces.iter().map(|piece| chunk(piece, None)).collect();
    events.push(chunk("", Some(finish)));
    if with_usage {
        let mut last = completion(asked, canaries, "", None);
        last["choices"] = json!([]);
        events.push(event(last, usage(pieces.len())));
    }
    MessageBody::Events { events, terminator: Some(Bytes::from_static(b"data: [DONE]\n\n")) }
}

fn usage(tokens: usize) -> Value {
    json!({"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens})
}
