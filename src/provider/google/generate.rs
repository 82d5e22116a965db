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
        content::{content_pieces, tool_argument_pieces},
        message::MessageBody,
        request::{RequestedCall, model_asked},
    },
    scenario::SuccessReply,
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
    if reply.is_cut_by_limit() { "MAX_TOKENS" } else { "STOP" }
}

fn whole(reply: &SuccessReply, asked: &RequestedCall, canaries: &Canaries) -> Value {
    let (part, tokens) = match reply {
        SuccessReply::ToolCall => (call(canaries), tool_argument_pieces(canaries).len()),
        SuccessReply::Ok | SuccessReply::Chunks(_) | SuccessReply::NonAscii | SuccessReply::MaxTokens => {
            let pieces = content_pieces(reply, canaries);
            (json!({"text": pieces.concat()}), pieces.len())
        }
    };
    let candidate = json!({"content": {"parts": [part], "role": "model"}, "finishReason": finish_reason(reply), "index": 0});
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
    let (chunks, tokens): (Vec<_>, _) = match reply {
        SuccessReply::ToolCall => (vec![chunk(call(canaries))], tool_argument_pieces(canaries).len()),
        SuccessReply::Ok | SuccessReply::Chunks(_) | SuccessReply::NonAscii | SuccessReply::MaxTokens => {
            let pieces = content_pieces(reply, canaries);
            let tokens = pieces.len();
            (pieces.into_iter().map(|piece| chunk(json!({"text": piece}))).collect(), tokens)
        }
    };
    let last = format!(
        r#"{before}{{"text":""}}],"role":"model"}},"finishReason":"{}","index":0}}],"usageMetadata":{}{tail}"#,
        finish_reason(reply),
        usage(tokens)
    );
    (chunks, last)
}

fn call(canaries: &Canaries) -> Value {
    let arguments: Value = serde_json::from_str(&tool_argument_pieces(canaries).concat()).unwrap_or_default();
    json!({"functionCall": {"name": "get_weather", "args": arguments}})
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
