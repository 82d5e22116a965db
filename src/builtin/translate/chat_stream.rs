//! Translates the events of an Anthropic messages stream to OpenAI chat chunks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::values::{chat_usage, finish_reason, tokens};
use crate::wire::sse;

/// Translates one stream from messages to chat.
#[derive(Debug)]
pub(crate) struct ToChat {
    include_usage: bool,
    id: Value,
    model: Value,
    input: u64,
    output: u64,
    /// Maps the index of a block to that of its tool call.
    calls: BTreeMap<u64, usize>,
}

impl ToChat {
    /// `include_usage`: the caller requested a chunk with the usage.
    pub(crate) fn new(include_usage: bool) -> Self {
        let (id, model) = (json!("chatcmpl-0"), json!("unknown"));
        Self { include_usage, id, model, input: 0, output: 0, calls: BTreeMap::new() }
    }

    /// Returns the chunk for an event; empty if a chat has no chunk for it.
    pub(crate) fn event(&mut self, event: &Value) -> String {
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => {
                let message = &event["message"];
                self.id = message["id"].clone();
                self.model = message["model"].clone();
                self.input = tokens(&message["usage"], "input_tokens");
                self.output = tokens(&message["usage"], "output_tokens");
                self.chunk(json!({"role": "assistant", "content": "", "refusal": null}), None)
            }
            "content_block_start" if event["content_block"]["type"] == "tool_use" => {
                let block = &event["content_block"];
                let index = self.calls.len();
                self.calls.insert(event["index"].as_u64().unwrap_or(0), index);
                let function = json!({"name": block["name"], "arguments": ""});
                let call =
                    json!({"index": index, "id": block["id"], "type": "function", "function": function});
                self.chunk(json!({ "tool_calls": [call] }), None)
            }
            "content_block_delta" => self.delta(event),
            "message_delta" => {
                let usage = &event["usage"];
                self.output = tokens(usage, "output_tokens");
                self.input =
                    usage["input_tokens"].as_u64().map_or(self.input, |_| tokens(usage, "input_tokens"));
                match event["delta"]["stop_reason"].as_str() {
                    Some(reason) => self.chunk(json!({}), Some(finish_reason(reason))),
                    None => String::new(),
                }
            }
            _ => String::new(),
        }
    }

    fn delta(&self, event: &Value) -> String {
        let delta = &event["delta"];
        if let Some(text) = delta["text"].as_str() {
            return self.chunk(json!({ "content": text }), None);
        }
        match delta["partial_json"].as_str() {
            Some(arguments) => {
                let block = event["index"].as_u64().unwrap_or(0);
                let index = self.calls.get(&block).copied().unwrap_or(0);
                let call = json!({"index": index, "function": {"arguments": arguments}});
                self.chunk(json!({ "tool_calls": [call] }), None)
            }
            None => String::new(),
        }
    }

    /// Returns the usage, if it was requested, and `[DONE]`.
    pub(crate) fn end(&mut self) -> String {
        let usage = self.include_usage.then(|| {
            let mut chunk = self.frame(json!([]));
            chunk["usage"] = chat_usage(self.input, self.output);
            sse::encode(None, &chunk.to_string())
        });
        usage.unwrap_or_default() + &sse::encode(None, "[DONE]")
    }

    fn chunk(&self, delta: Value, finish: Option<&str>) -> String {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        sse::encode(None, &self.frame(json!([choice])).to_string())
    }

    fn frame(&self, choices: Value) -> Value {
        json!({
            "id": self.id,
            "object": "chat.completion.chunk",
            "created": 0,
            "model": self.model,
            "choices": choices,
        })
    }
}
