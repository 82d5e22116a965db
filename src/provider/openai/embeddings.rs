//! OpenAI: `POST /v1/embeddings`.
//!
//! Source: <https://developers.openai.com/api/docs/api-reference/embeddings>. The vectors have length
//! 1, like the real ones, but fewer dimensions unless the request sets a number.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::provider::{
    message::{MessageBody, json},
    request::{RequestedCall, model_asked},
};

const DIMENSIONS: u64 = 16;
const MAX_DIMENSIONS: u64 = 3072;
/// The largest number of inputs in a request.
const MAX_INPUTS: usize = 2048;

pub(crate) fn reply(asked: &RequestedCall) -> (&'static str, MessageBody) {
    let inputs = inputs(&asked.body["input"]);
    let dimensions = asked.body["dimensions"].as_u64().unwrap_or(DIMENSIONS).clamp(1, MAX_DIMENSIONS);
    let base64 = asked.body["encoding_format"] == "base64";
    let data: Vec<_> = (0..inputs)
        .map(|index| {
            let vector = vector(index, dimensions);
            let embedding = if base64 { json!(packed(&vector)) } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens = 8 * inputs;
    json(&json!({
        "object": "list",
        "data": data,
        "model": model_asked(asked),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }))
}

/// The number of inputs: each text or list of tokens is one input, alone or in a list.
fn inputs(input: &Value) -> usize {
    match input {
        Value::Array(items) if items.iter().all(|item| !item.is_number()) => items.len().clamp(1, MAX_INPUTS),
        _ => 1,
    }
}

/// A vector whose components have the same magnitude; their signs identify the input.
fn vector(index: usize, dimensions: u64) -> Vec<f32> {
    let size = 1.0 / (dimensions as f32).sqrt();
    (0..dimensions).map(|i| if (index as u64 >> (i % 11)) & 1 == 1 { -size } else { size }).collect()
}

/// Base64 of little-endian 32-bit floats, as the SDKs request them.
fn packed(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}
