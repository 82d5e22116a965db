//! `POST /v2/embed`.
//!
//! Sources: <https://docs.cohere.com/reference/embed>; `embed_by_type_response.py` of cohere-python
//! 7.3.1.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use crate::{
    observation::Canaries,
    provider::{
        content::stem,
        message::{MessageBody, json},
        request::RequestedCall,
    },
};

/// The encodings of a vector.
const KINDS: [&str; 6] = ["float", "int8", "uint8", "binary", "ubinary", "base64"];

/// The default number of dimensions.
const DIMENSIONS: usize = 8;

/// The largest number of dimensions that a request can ask for.
const MAX_DIMENSIONS: u64 = 1536;

/// The largest number of inputs in a request.
const MAX_INPUTS: usize = 96;

pub(crate) fn reply(asked: &RequestedCall, canaries: &Canaries) -> (&'static str, MessageBody) {
    let list = |name: &str| asked.body[name].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<_> = list("texts").iter().filter(|text| text.is_string()).take(MAX_INPUTS).collect();
    let others = list("inputs").len() + list("images").len();
    let inputs = (texts.len() + others).clamp(1, MAX_INPUTS);
    let dimensions = asked.body["output_dimension"]
        .as_u64()
        .and_then(|n| usize::try_from(n.clamp(1, MAX_DIMENSIONS)).ok())
        .unwrap_or(DIMENSIONS);

    let asked_for = |kind: &str| list("embedding_types").iter().any(|asked| asked == kind);
    let mut kinds: Vec<_> = KINDS.into_iter().filter(|kind| asked_for(kind)).collect();
    if kinds.is_empty() {
        kinds.push("float");
    }
    let embeddings: Map<_, _> = kinds
        .into_iter()
        .map(|kind| (kind.to_owned(), (0..inputs).map(|input| vector(kind, input, dimensions)).collect()))
        .collect();
    let units =
        if texts.is_empty() { json!({"images": inputs}) } else { json!({"input_tokens": 2 * inputs}) };
    json(&json!({
        "id": stem(canaries),
        "embeddings": embeddings,
        "texts": texts,
        "meta": {"api_version": {"version": "2"}, "billed_units": units},
        "response_type": "embeddings_by_type",
    }))
}

/// The vector of an input, in the encoding `kind`: numbers between -1 and 1 that differ between inputs.
fn vector(kind: &str, input: usize, dimensions: usize) -> Value {
    let eighths =
        (0..dimensions).map(|at| (input + at) % 17).map(|n| i8::try_from(n).unwrap_or_default() - 8);
    match kind {
        "int8" => eighths.map(|n| n * 15).collect(),
        "uint8" => eighths.map(|n| n.unsigned_abs() * 15).collect(),
        // One number contains eight dimensions.
        "binary" => eighths.step_by(8).map(|n| n * 15).collect(),
        "ubinary" => eighths.step_by(8).map(|n| n.unsigned_abs() * 15).collect(),
        "base64" => {
            let bytes: Vec<u8> = eighths.flat_map(|n| (f32::from(n) / 8.0).to_le_bytes()).collect();
            STANDARD.encode(bytes).into()
        }
        _ => eighths.map(|n| f64::from(n) / 8.0).collect(),
    }
}
