//! OpenAI: `POST /v1/images/generations` and `/edits`.
//!
//! Source: <https://developers.openai.com/api/docs/api-reference/images>. Every image is one grey
//! pixel; the canary is in the revised prompt.

use serde_json::{Value, json};

use super::completions::text_pieces;
use crate::{
    observation::Canaries,
    provider::{
        content::{created, stem},
        message::{MessageBody, json},
        request::RequestedCall,
    },
    scenario::SuccessReply,
};

const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNoAAAAggCB2kUIOwAAAABJRU5ErkJggg==";

pub(crate) fn reply(
    reply: &SuccessReply,
    asked: &RequestedCall,
    canaries: &Canaries,
) -> (&'static str, MessageBody) {
    let prompt = text_pieces(reply, canaries).concat();
    // In a form, numbers are texts.
    let n = match &asked.body["n"] {
        Value::String(text) => text.parse().unwrap_or(1),
        value => value.as_u64().unwrap_or(1),
    };
    let n = n.clamp(1, 10);
    let image = |i| {
        if asked.body["response_format"] == "url" {
            let url = format!("https://images.invalid/{}/{i}.png", stem(canaries));
            json!({"url": url, "revised_prompt": prompt})
        } else {
            json!({"b64_json": PIXEL, "revised_prompt": prompt})
        }
    };
    let images: Vec<_> = (0..n).map(image).collect();
    json(&json!({
        "created": created(),
        "background": "opaque",
        "data": images,
        "output_format": "png",
        "quality": "low",
        "size": "1024x1024",
        "usage": {
            "input_tokens": 9,
            "input_tokens_details": {"image_tokens": 0, "text_tokens": 9},
            "output_tokens": 272 * n,
            "output_tokens_details": {"image_tokens": 272 * n, "text_tokens": 0},
            "total_tokens": 9 + 272 * n,
        },
    }))
}
