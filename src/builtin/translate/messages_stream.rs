//! Translates OpenAI chat chunks to the events of an Anthropic messages stream.

use serde_json::{Value, json};

use super::values::{entries, stop_reason, text_of, tokens};
use crate::wire::sse;

/// Translates one stream from chat to messages.
#[derive(Debug, Default)]
pub(crate) struct ToMessages {
    begun: bool,
    /// The open block: its index and, if it is a tool call, the index of the call.
    open: Option<(u64, Option<u64>)>,
    /// The number of blocks that have been opened.
    blocks: u64,
    reason: Option<&'static str>,
    input: u64,
    output: u64,
}

impl ToMessages {
    /// Returns the events for a chunk.
    pub(crate) fn chunk(&mut self, chunk: &Value) -> String {
        let mut out = String::new();
        if let Some(usage) = chunk.get("usage").filter(|usage| usage.is_object()) {
            self.input = tokens(usage, "prompt_tokens");
            self.output = tokens(usage, "completion_tokens");
        }
        if !std::mem::replace(&mut self.begun, true) {
            let message = json!({
                "id": chunk["id"], "type": "message", "role": "assistant", "model": chunk["model"],
                "content": [], "stop_reason": null, "stop_sequence": null,
                "usage": {"input_tokens": self.input, "output_tokens": 0},
            });
            out += &event("message_start", json!({ "message": message }));
        }
        let choice = &chunk["choices"][0];
        // A message has no separate place for a refusal.
        let text = text_of(&choice["delta"]["content"]) + &text_of(&choice["delta"]["refusal"]);
        if !text.is_empty() {
            if !matches!(self.open, Some((_, None))) {
                self.start(&mut out, None, json!({"type": "text", "text": ""}));
            }
            self.delta(&mut out, json!({"type": "text_delta", "text": text}));
        }
        for call in entries(&choice["delta"]["tool_calls"]) {
            let index = call["index"].as_u64().unwrap_or(0);
            let function = &call["function"];
            if !matches!(self.open, Some((_, Some(open))) if open == index) {
                let block =
                    json!({"type": "tool_use", "id": call["id"], "name": function["name"], "input": {}});
                self.start(&mut out, Some(index), block);
            }
            if let Some(arguments) = function["arguments"].as_str().filter(|text| !text.is_empty()) {
                self.delta(&mut out, json!({"type": "input_json_delta", "partial_json": arguments}));
            }
        }
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.stop(&mut out);
            self.reason = Some(stop_reason(reason));
        }
        out
    }

    /// Returns the stop reason, the usage and `message_stop`.
    pub(crate) fn end(&mut self) -> String {
        let mut out = String::new();
        self.stop(&mut out);
        let delta = json!({"stop_reason": self.reason.unwrap_or("end_turn"), "stop_sequence": null});
        let usage = json!({"input_tokens": self.input, "output_tokens": self.output});
        out += &event("message_delta", json!({"delta": delta, "usage": usage}));
        out + &event("message_stop", json!({}))
    }

    fn start(&mut self, out: &mut String, call: Option<u64>, block: Value) {
        self.stop(out);
        self.open = Some((self.blocks, call));
        *out += &event("content_block_start", json!({"index": self.blocks, "content_block": block}));
        self.blocks += 1;
    }

    fn delta(&self, out: &mut String, delta: Value) {
        if let Some((index, _)) = self.open {
            *out += &event("content_block_delta", json!({"index": index, "delta": delta}));
        }
    }

    fn stop(&mut self, out: &mut String) {
        if let Some((index, _)) = self.open.take() {
            *out += &event("content_block_stop", json!({ "index": index }));
        }
    }
}

/// An SSE event whose data contains its name as `type`.
fn event(name: &str, members: Value) -> String {
    let mut data = json!({ "type": name });
    if let (Some(data), Value::Object(members)) = (data.as_object_mut(), members) {
        data.extend(members);
    }
    sse::encode(Some(name), &data.to_string())
}
