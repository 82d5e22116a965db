//! Translates an Anthropic messages request to an OpenAI chat request.

use serde_json::{Map, Value, json};

use super::values::{entries, text_of};

/// Translates `POST /v1/messages` to `POST /v1/chat/completions`. The model's name does not change.
pub(super) fn for_chat(asked: &Map<String, Value>) -> Map<String, Value> {
    let get = |name: &str| asked.get(name).filter(|value| !value.is_null());
    let mut body = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        body.extend(value.map(|value| (name.to_owned(), value)));
    };
    set("model", get("model").cloned());
    let system = get("system").map(text_of).filter(|text| !text.is_empty());
    let mut messages: Vec<Value> =
        system.map(|text| json!({"role": "system", "content": text})).into_iter().collect();
    messages.extend(entries(get("messages").unwrap_or(&Value::Null)).iter().flat_map(turn));
    set("messages", Some(messages.into()));
    set("max_completion_tokens", get("max_tokens").cloned());
    set("temperature", get("temperature").cloned());
    set("top_p", get("top_p").cloned());
    set("stop", get("stop_sequences").cloned());
    if get("stream").is_some_and(|stream| stream == true) {
        set("stream", Some(json!(true)));
        // A messages stream always contains the usage; a chat stream does only if it is requested.
        set("stream_options", Some(json!({"include_usage": true})));
    }
    set("tools", get("tools").map(|tools| entries(tools).iter().map(tool).collect()));
    set("tool_choice", get("tool_choice").and_then(tool_choice));
    body
}

/// Translates one turn. Its tool results become separate messages in a chat.
fn turn(message: &Value) -> Vec<Value> {
    let content = &message["content"];
    let blocks = match content {
        Value::Array(blocks) => blocks,
        other => return vec![json!({"role": message["role"], "content": text_of(other)})],
    };
    let of_kind = |kind: &'static str| blocks.iter().filter(move |block| block["type"] == kind);
    if message["role"] == "assistant" {
        let calls: Vec<Value> = of_kind("tool_use")
            .map(|block| {
                let function = json!({"name": block["name"], "arguments": block["input"].to_string()});
                json!({"id": block["id"], "type": "function", "function": function})
            })
            .collect();
        let text = text_of(content);
        let text = if text.is_empty() && !calls.is_empty() { Value::Null } else { json!(text) };
        let mut reply = json!({"role": "assistant", "content": text});
        if !calls.is_empty() {
            reply["tool_calls"] = calls.into();
        }
        return vec![reply];
    }
    let results = of_kind("tool_result").map(|block| {
        json!({"role": "tool", "tool_call_id": block["tool_use_id"], "content": text_of(&block["content"])})
    });
    let parts: Vec<Value> = blocks.iter().filter_map(part).collect();
    let rest = (!parts.is_empty()).then(|| json!({"role": "user", "content": parts}));
    results.chain(rest).collect()
}

fn part(block: &Value) -> Option<Value> {
    match block["type"].as_str()? {
        "text" => Some(json!({"type": "text", "text": block["text"]})),
        "image" => {
            let source = &block["source"];
            let url = match source["type"].as_str()? {
                "base64" => {
                    format!("data:{};base64,{}", source["media_type"].as_str()?, source["data"].as_str()?)
                }
                _ => source["url"].as_str()?.to_owned(),
            };
            Some(json!({"type": "image_url", "image_url": {"url": url}}))
        }
        _ => None,
    }
}

fn tool(tool: &Value) -> Value {
    let mut function = json!({ "name": tool["name"] });
    if let Some(text) = tool["description"].as_str() {
        function["description"] = json!(text);
    }
    function["parameters"] = tool["input_schema"].clone();
    json!({"type": "function", "function": function})
}

fn tool_choice(choice: &Value) -> Option<Value> {
    Some(match choice["type"].as_str()? {
        "any" => json!("required"),
        "none" => json!("none"),
        "tool" => json!({"type": "function", "function": {"name": choice["name"]}}),
        _ => json!("auto"),
    })
}
