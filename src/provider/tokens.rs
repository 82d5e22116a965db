//! Estimates the tokens that a request needs; the estimate is the same in every run.

use serde_json::Value;

use super::request::RequestedCall;

/// The output tokens of a request that sets no maximum.
const OUTPUT: u64 = 16;

/// The members that contain the prompt.
const PROMPT: [&str; 13] = [
    "messages",
    "prompt",
    "input",
    "instructions",
    "system",
    "contents",
    "systemInstruction",
    "system_instruction",
    "inputs",
    "texts",
    "query",
    "documents",
    "inputText",
];

/// Members inside the prompt that are not part of its text.
const PROTOCOL: [&str; 4] = ["role", "type", "id", "name"];

/// The JSON pointers at which a request sets the maximum of output tokens.
const MAX_OUTPUT: [&str; 8] = [
    "/max_completion_tokens",
    "/max_tokens",
    "/max_output_tokens",
    "/generationConfig/maxOutputTokens",
    "/generation_config/max_output_tokens",
    "/inferenceConfig/maxTokens",
    "/options/num_predict",
    "/parameters/max_new_tokens",
];

/// Returns a quarter of the prompt's characters, rounded up, plus the requested output tokens.
pub(super) fn estimate(asked: &RequestedCall) -> u64 {
    let characters: u64 = PROMPT.iter().filter_map(|name| asked.body.get(name)).map(characters).sum();
    let output = match asked.api {
        Some(api) if api.streams() => {
            MAX_OUTPUT.iter().find_map(|pointer| asked.body.pointer(pointer)?.as_u64()).unwrap_or(OUTPUT)
        }
        // Embeddings and similar endpoints return no text.
        _ => 0,
    };
    characters.div_ceil(4).saturating_add(output)
}

fn characters(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.chars().count() as u64,
        Value::Array(items) => items.iter().map(characters).sum(),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| !PROTOCOL.contains(&name.as_str()))
            .map(|(_, value)| characters(value))
            .sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scenario::{Api, Provider};

    #[test]
    fn a_prompt_counts_by_its_characters_in_every_dialect() {
        for (api, body, tokens) in [
            (Api::OpenaiChat, json!({"messages": [{"role": "user", "content": "12345"}]}), 2 + 16),
            (Api::OpenaiChat, json!({"messages": [], "max_tokens": 5, "max_completion_tokens": 7}), 7),
            (
                Api::AnthropicMessages,
                json!({"system": "1234", "messages": [{"content": [{"type": "text", "text": "1234"}]}], "max_tokens": 1}),
                3,
            ),
            (
                Api::GeminiGenerate,
                json!({"contents": [{"parts": [{"text": "1234"}]}], "generationConfig": {"maxOutputTokens": 2}}),
                3,
            ),
            (Api::OpenaiEmbeddings, json!({"input": ["äöüß", "1"], "model": "long name"}), 2),
            (Api::OpenaiChat, json!({"max_tokens": -1}), 16),
            (Api::OpenaiChat, json!({"max_tokens": u64::MAX, "prompt": "1"}), u64::MAX),
            (Api::OpenaiModels, json!(null), 0),
        ] {
            let asked = RequestedCall {
                api: Some(api),
                body: body.clone().into(),
                ..RequestedCall::nothing(Provider::Openai)
            };
            assert_eq!(estimate(&asked), tokens, "{body}");
        }
    }
}
