//! Google: `generateContent` and `streamGenerateContent`, in both stream formats.
//!
//! A stream has one chunk for each piece and then, as its terminator, a chunk without text that contains
//! `finishReason` and the final usage. A function call is complete in one chunk.
//!
//! Source: <https://ai.google.dev/api/generate-content>

use bytes::Bytes;
use serde_json::{Value, json};

use super::carried::{JSON, StreamFormat, pretty};
use crate::{
    observation::Canaries,
    provider::{
        content::{content_pieces, output_tokens, tool_calls},
        message::MessageBody,
        request::{RequestedCall, model_asked},
    },
    scenario::{ReplyEnd, SuccessReply},
};

pub(crate) fn reply(
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    match StreamFormat::of(asked) {
        StreamFormat::Whole => {
            let body = whole(reply, asked, canaries);
            (JSON, MessageBody::Whole(pretty(&body).into()))
        }
        StreamFormat::Events => {
            let frame = |chunk: String| Bytes::from(format!("data: {chunk}\r\n\r\n"));
            let (chunks, last) = chunks(reply, asked, canaries);
            let events = chunks.into_iter().map(frame).collect();
            ("text/event-stream", MessageBody::Events { events, terminator: Some(frame(last)) })
        }
        StreamFormat::Array => {
            let (chunks, last) = chunks(reply, asked, canaries);
            let before = |i: usize| if i == 0 { "[" } else { ",\r\n" };
            let events =
                chunks.iter().enumerate().map(|(i, chunk)| format!("{}{chunk}", before(i)).into()).collect();
            let last = format!("{}{last}\r\n]", before(chunks.len()));
            (JSON, MessageBody::Events { events, terminator: Some(last.into()) })
        }
    }
}

/// The finish reason; a function call has no separate reason.
const fn finish_reason(reply: &SuccessReply) -> &'static str {
    match reply.end() {
        ReplyEnd::Whole => "STOP",
        ReplyEnd::Limit => "MAX_TOKENS",
        ReplyEnd::Filter => "SAFETY",
    }
}

/// The parts with content, one for each chunk of a stream, and the number of output tokens. A function call is never
/// sent in part.
fn parts(pieces: Vec<String>, reply: &SuccessReply, canaries: &Canaries) -> (Vec<Value>, usize) {
    let calls = tool_calls(reply, canaries);
    let tokens = output_tokens(&pieces, &calls);
    let texts = pieces.into_iter().map(|piece| json!({"text": piece}));
    let calls = calls.iter().filter(|call| !call.is_cut);
    let calls = calls.map(|call| json!({"functionCall": {"name": call.name, "args": call.arguments()}}));
    let mut parts: Vec<Value> = texts.chain(calls).collect();
    if parts.is_empty() {
        parts.push(json!({"text": ""}));
    }
    (parts, tokens)
}

fn whole(reply: &SuccessReply, asked: &RequestedCall, canaries: &Canaries) -> Value {
    let pieces = content_pieces(reply, canaries);
    let tokens = output_tokens(&pieces, &tool_calls(reply, canaries));
    let text = pieces.concat();
    let (parts, _) = parts(Some(text).filter(|text| !text.is_empty()).into_iter().collect(), reply, canaries);
    let candidate = json!({"content": {"parts": parts, "role": "model"}, "finishReason": finish_reason(reply), "index": 0});
    json!({
        "candidates": [candidate],
        "usageMetadata": usage(tokens),
        "modelVersion": model_asked(asked),
        "responseId": canaries.request_id,
    })
}

/// The chunks with content, and the chunk that ends the stream.
fn chunks(reply: &SuccessReply, asked: &RequestedCall, canaries: &Canaries) -> (Vec<String>, String) {
    // A reply can have ten thousand pieces, so the part that all chunks share is serialized once.
    let before = r#"{"candidates":[{"content":{"parts":["#;
    let tail = format!(
        r#","modelVersion":{},"responseId":{}}}"#,
        json!(model_asked(asked)),
        json!(canaries.request_id)
    );
    let middle = format!(
        r#"],"role":"model"}},"index":0}}],"usageMetadata":{{"promptTokenCount":{PROMPT},"totalTokenCount":{PROMPT}}}{tail}"#
    );
    let chunk = |part: Value| format!("{before}{part}{middle}");
    let (parts, tokens) = parts(content_pieces(reply, canaries), reply, canaries);
    let chunks = parts.into_iter().map(chunk).collect();
    let last = format!(
        r#"{before}{{"text":""}}],"role":"model"}},"finishReason":"{}","index":0}}],"usageMetadata":{}{tail}"#,
        finish_reason(reply),
        usage(tokens)
    );
    (chunks, last)
}

const PROMPT: usize = 9;

fn usage(tokens: usize) -> Value {
    json!({
        "promptTokenCount": PROMPT,
        "candidatesTokenCount": tokens,
        "totalTokenCount": PROMPT + tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": PROMPT}],
    })
}
