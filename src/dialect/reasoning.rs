//! The text of a model's reasoning, in the form in which each dialect writes it.

use serde_json::Value;

/// The reasoning in one event of a stream, or in a whole response, of any dialect.
pub(super) fn reasoning(value: &Value) -> String {
    let mut text = String::new();
    let mut add = |piece: Option<&Value>| text.push_str(piece.and_then(Value::as_str).unwrap_or_default());
    // anthropic/messages, bedrock/converse, cohere/chat, ollama/chat
    for pointer in [
        "/delta/thinking",
        "/delta/reasoningContent/text",
        "/delta/message/content/thinking",
        "/message/thinking",
    ] {
        add(value.pointer(pointer));
    }
    list(value, "content").iter().for_each(|block| add(block.get("thinking")));
    for message in [value.pointer("/output/message"), value.get("message")].into_iter().flatten() {
        for block in list(message, "content") {
            add(block.pointer("/reasoningContent/reasoningText/text"));
            add(block.get("thinking"));
        }
    }
    // gemini/generate
    for candidate in list(value, "candidates") {
        let parts = candidate.get("content").map(|content| list(content, "parts")).unwrap_or_default();
        parts.iter().filter(|part| is_thought(part)).for_each(|part| add(part.get("text")));
    }
    // openai/responses
    match value.get("type").and_then(Value::as_str) {
        Some("response.reasoning_summary_text.delta" | "response.reasoning_text.delta") => {
            add(value.get("delta"))
        }
        _ => {
            for item in
                list(value, "output").iter().filter(|item| item.get("type").is_some_and(|t| t == "reasoning"))
            {
                for part in list(item, "summary").iter().chain(list(item, "content")) {
                    add(part.get("text"));
                }
            }
        }
    }
    text
}

/// Whether a part of Gemini's content is reasoning.
pub(super) fn is_thought(part: &Value) -> bool {
    part.get("thought").is_some_and(|thought| thought == true)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
