//! Defects in the content of successful responses: tool calls, refusals, choices, reasoning.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::builtin::extension::Extension;

/// Changes the JSON of successful bodies and of the events of streams.
#[derive(Debug)]
pub(super) struct ContentChanged(pub fn(&mut Value));

impl Extension for ContentChanged {
    fn content(&self, bytes: Bytes) -> Bytes {
        let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
        let lines: Vec<String> = text.split('\n').map(|line| self.line(line)).collect();
        let changed = match self.changed(text) {
            Some(body) => body,
            None => lines.join("\n"),
        };
        if changed == text { bytes } else { changed.into() }
    }
}

impl ContentChanged {
    fn line(&self, line: &str) -> String {
        let data = line.strip_prefix("data:").map(str::trim);
        data.and_then(|data| self.changed(data))
            .map_or_else(|| line.to_owned(), |data| format!("data: {data}"))
    }

    /// The JSON after the change; `None` if it is not an object, or did not change.
    fn changed(&self, text: &str) -> Option<String> {
        let mut value: Value = serde_json::from_str(text).ok().filter(Value::is_object)?;
        let before = value.clone();
        (self.0)(&mut value);
        (value != before).then(|| value.to_string())
    }
}

/// Loses every event of a stream that is larger than the line buffer of many gateways.
#[derive(Debug)]
pub(super) struct LargeEventsLost;

impl Extension for LargeEventsLost {
    fn content(&self, bytes: Bytes) -> Bytes {
        let is_event = bytes.starts_with(b"data:") || bytes.starts_with(b"event:");
        if is_event && bytes.len() > 64 * 1024 { Bytes::new() } else { bytes }
    }
}

/// The messages of a chat, or the parts of them in a stream.
fn each_message(value: &mut Value, mut change: impl FnMut(&mut Value)) {
    let choices = value.get_mut("choices").and_then(Value::as_array_mut);
    for choice in choices.into_iter().flatten() {
        for holder in ["message", "delta"] {
            choice.get_mut(holder).into_iter().for_each(&mut change);
        }
    }
}

/// The tool calls of a chat.
fn each_call(value: &mut Value, mut change: impl FnMut(&mut Value)) {
    each_message(value, |message| {
        let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
        calls.into_iter().flatten().for_each(&mut change);
    });
}

pub(super) fn drop_second_call(value: &mut Value) {
    each_message(value, |message| {
        if let Some(calls) = message.get_mut("tool_calls").and_then(Value::as_array_mut) {
            // In a stream, the index says which call it is; in a body, the place.
            let mut n = 0;
            calls.retain(|call| {
                n += 1;
                call.get("index").map_or(n == 1, |index| *index == 0)
            });
        }
    });
}

pub(super) fn drop_calls_next_to_text(value: &mut Value) {
    each_message(value, |message| {
        let has_text = message["content"].as_str().is_some_and(|text| !text.is_empty());
        if let Some(message) = message.as_object_mut().filter(|_| has_text) {
            message.shift_remove("tool_calls");
        }
    });
}

pub(super) fn rename_tools(value: &mut Value) {
    each_call(value, |call| {
        if let Some(name) = call.pointer_mut("/function/name")
            && let Some(text) = name.as_str()
        {
            *name = json!(format!("functions.{text}"));
        }
    });
}

pub(super) fn merge_calls(value: &mut Value) {
    each_call(value, |call| {
        if let Some(index) = call.get_mut("index") {
            *index = json!(0);
        }
    });
}

pub(super) fn lose_call_ids(value: &mut Value) {
    each_call(value, |call| {
        if let Some(id) = call.get_mut("id") {
            *id = json!("");
        }
    });
}

pub(super) fn drop_refusal_text(value: &mut Value) {
    each_message(value, |message| {
        if let Some(refusal) = message.get_mut("refusal") {
            *refusal = Value::Null;
        }
    });
}

pub(super) fn drop_other_choices(value: &mut Value) {
    if let Some(choices) = value.get_mut("choices").and_then(Value::as_array_mut) {
        choices.retain(|choice| choice.get("index").is_none_or(|index| *index == 0));
    }
}

/// Only Anthropic's dialect defines reasoning.
pub(super) fn drop_reasoning(value: &mut Value) {
    if let Some(blocks) = value.get_mut("content").and_then(Value::as_array_mut) {
        blocks.retain(|block| block["type"] != "thinking");
    }
    if let Some(thinking) = value.pointer_mut("/delta/thinking") {
        *thinking = json!("");
    }
}
