//! OpenAI: `POST /v1/moderations`.
//!
//! Source: <https://developers.openai.com/api/docs/api-reference/moderations>. No input is ever flagged.

use serde_json::{Map, Value, json};

use crate::{
    observation::Canaries,
    provider::{
        content::stem,
        message::{MessageBody, json},
        request::RequestedCall,
    },
};

const CATEGORIES: [&str; 13] = [
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
];

/// The largest number of results in a response.
const MAX_INPUTS: usize = 2048;

pub(crate) fn reply(asked: &RequestedCall, canaries: &Canaries) -> (&'static str, MessageBody) {
    // A list of texts has one result for each text; a list of typed parts is one input.
    let inputs = match &asked.body["input"] {
        Value::Array(items) if items.iter().all(Value::is_string) => items.len().clamp(1, MAX_INPUTS),
        _ => 1,
    };
    let each = |value: Value| -> Map<String, Value> {
        CATEGORIES.iter().map(|name| ((*name).to_owned(), value.clone())).collect()
    };
    let result = json!({
        "flagged": false,
        "categories": each(json!(false)),
        "category_scores": each(json!(0.0001)),
        "category_applied_input_types": each(json!(["text"])),
    });
    let model = if asked.model.is_empty() { "omni-moderation-latest" } else { &asked.model };
    json(&json!({
        "id": format!("modr-{}", stem(canaries)),
        "model": model,
        "results": vec![result; inputs],
    }))
}
