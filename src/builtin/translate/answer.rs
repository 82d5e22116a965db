//! Translates a complete response between OpenAI's chat completions and Anthropic's messages, in both directions.

use serde_json::{Value, json};

use super::values::{chat_usage, entries, finish_reason, stop_reason, text_of, tokens};

/// Translates an Anthropic message to an OpenAI completion.
pub(super) fn completion(message: &Value) -> Value {
    let content = &message["content"];
    let calls: Vec<Value> = entries(content)
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|block| {
            let function = json!({"name": block["name"], "arguments": block["input"].to_string()});
            json!({"id": block["id"], "type": "function", "function": function})
        })
        .collect();
    let text = text_of(content);
    let text = if text.is_empty() && !calls.is_empty() { Value::Null } else { json!(text) };
    let mut reply = json!({"role": "assistant", "content": text, "refusal": null});
    if !calls.is_empty() {
        reply["tool_calls"] = calls.into();
    }
    let reason = message["stop_reason"].as_str().map_or("stop", finish_reason);
    let usage = &message["usage"];
    json!({
        "id": message["id"],
        "object": "chat.completion",
        "created": 0,
        "model": message["model"],
        "choices": [{"index": 0, "message": reply, "logprobs": null, "finish_reason": reason}],
        "usage": chat_usage(tokens(usage, "input_tokens"), tokens(usage, "output_tokens")),
    })
}

/// Translates an OpenAI completion to an Anthropic message.
pub(super) fn message(completion: &Value) -> Value {
    let choice = &completion["choices"][0];
    let reply = &choice["message"];
    // A message has no separate place for a refusal.
    let text = text_of(&reply["content"]) + &text_of(&reply["refusal"]);
    let text = (!text.is_empty()).then(|| json!({"type": "text", "text": text}));
    let calls = entries(&reply["tool_calls"]).iter().map(|call| {
        let arguments = call.pointer("/function/arguments").and_then(Value::as_str).unwrap_or_default();
        let input: Value = serde_json::from_str(arguments).unwrap_or_else(|_| json!({}));
        json!({"type": "tool_use", "id": call["id"], "name": call["function"]["name"], "input": input})
    });
    let content: Vec<Value> = text.into_iter().chain(calls).collect();
    let usage = &completion["usage"];
    json!({
        "id": completion["id"],
        "type": "message",
        "role": "assistant",
        "model": completion["model"],
        "content": content,
        "stop_reason": choice["finish_reason"].as_str().map_or("end_turn", stop_reason),
        "stop_sequence": null,
        "usage": {
            "input_tokens": tokens(usage, "prompt_tokens"),
            "output_tokens": tokens(usage, "completion_tokens"),
        },
    })
}
