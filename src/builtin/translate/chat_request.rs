//! Translates an OpenAI chat request to an Anthropic messages request.

use serde_json::{Map, Value, json};

use super::values::{entries, text_of};

/// The `max_tokens` if the chat request has no limit: Anthropic requires one.
const MAX_TOKENS: u64 = 4096;

/// Translates `POST /v1/chat/completions` to `POST /v1/messages`. The model's name does not change.
pub(super) fn for_messages(chat: &Map<String, Value>) -> Map<String, Value> {
    let get = |name: &str| chat.get(name).filter(|value| !value.is_null());
    let mut body = Map::new();
    body.extend(get("model").map(|model| ("model".to_owned(), model.clone())));
    let limit = get("max_completion_tokens").or_else(|| get("max_tokens")).cloned();
    body.insert("max_tokens".into(), limit.unwrap_or_else(|| json!(MAX_TOKENS)));
    let (system, messages) = conversation(get("messages").unwrap_or(&Value::Null));
    if !system.is_empty() {
        body.insert("system".into(), json!(system.join("\n\n")));
    }
    body.insert("messages".into(), messages.into());
    for name in ["temperature", "top_p", "stream"] {
        body.extend(get(name).map(|value| (name.to_owned(), value.clone())));
    }
    if let Some(stop) = get("stop") {
        let stop = if stop.is_array() { stop.clone() } else { json!([stop]) };
        body.insert("stop_sequences".into(), stop);
    }
    if let Some(tools) = get("tools") {
        let tools: Vec<Value> = entries(tools).iter().map(tool).collect();
        body.insert("tools".into(), tools.into());
    }
    body.extend(get("tool_choice").and_then(tool_choice).map(|choice| ("tool_choice".to_owned(), choice)));
    body
}

/// Splits a chat into the texts of its system messages and the other turns.
fn conversation(messages: &Value) -> (Vec<String>, Vec<Value>) {
    let (mut system, mut turns) = (Vec::new(), Vec::<Value>::new());
    for message in entries(messages) {
        let content = &message["content"];
        let (role, blocks) = match message["role"].as_str().unwrap_or("user") {
            "system" | "developer" => {
                system.push(text_of(content));
                continue;
            }
            "assistant" => ("assistant", assistant(message)),
            "tool" => {
                let id = &message["tool_call_id"];
                let result = json!({"type": "tool_result", "tool_use_id": id, "content": text_of(content)});
                ("user", vec![result])
            }
            _ => match content {
                Value::Array(parts) => ("user", parts.iter().filter_map(block).collect()),
                other => {
                    turns.push(json!({"role": "user", "content": text_of(other)}));
                    continue;
                }
            },
        };
        // Consecutive tool results form one turn.
        let before = turns.last_mut().filter(|turn| turn["role"] == role && message["role"] == "tool");
        match before.and_then(|turn| turn["content"].as_array_mut()) {
            Some(content) => content.extend(blocks),
            None => turns.push(json!({"role": role, "content": blocks})),
        }
    }
    (system, turns)
}

fn assistant(message: &Value) -> Vec<Value> {
    let text = text_of(&message["content"]);
    let text = (!text.is_empty()).then(|| json!({"type": "text", "text": text}));
    let calls = entries(&message["tool_calls"]).iter().map(|call| {
        let arguments = call.pointer("/function/arguments").and_then(Value::as_str).unwrap_or_default();
        let input = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
        json!({"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": input})
    });
    text.into_iter().chain(calls).collect()
}

fn block(part: &Value) -> Option<Value> {
    match part["type"].as_str()? {
        "text" => Some(json!({"type": "text", "text": part["text"]})),
        "image_url" => {
            let url = part.pointer("/image_url/url")?.as_str()?;
            let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
            let source = match inline {
                Some((kind, data)) => json!({"type": "base64", "media_type": kind, "data": data}),
                None => json!({"type": "url", "url": url}),
            };
            Some(json!({"type": "image", "source": source}))
        }
        _ => None,
    }
}

fn tool(tool: &Value) -> Value {
    let function = &tool["function"];
    let mut translated = json!({ "name": function["name"] });
    if let Some(text) = function["description"].as_str() {
        translated["description"] = json!(text);
    }
    let schema = function["parameters"].as_object().cloned().map(Value::from);
    translated["input_schema"] = schema.unwrap_or_else(|| json!({"type": "object"}));
    translated
}

fn tool_choice(choice: &Value) -> Option<Value> {
    match choice {
        Value::String(word) => match word.as_str() {
            "required" => Some(json!({"type": "any"})),
            "none" => Some(json!({"type": "none"})),
            _ => Some(json!({"type": "auto"})),
        },
        Value::Object(_) => Some(json!({"type": "tool", "name": choice.pointer("/function/name")?})),
        _ => None,
    }
}
