//! The tool calls of a response, as a client assembles them.

use serde_json::Value;

use super::normaliser::Normaliser;
use crate::dialect::{ToolCall, add_part, tool_call_parts};

/// The tool calls in these events, or in this one body.
pub(super) fn of<'v>(values: impl IntoIterator<Item = &'v Value>) -> Vec<ToolCall> {
    let mut calls = Vec::new();
    for part in values.into_iter().flat_map(tool_call_parts) {
        add_part(&mut calls, &part);
    }
    calls
}

/// One line for each call: the tool, its arguments, and where its id comes from.
pub(super) fn lines(calls: &[ToolCall], normaliser: &Normaliser) -> Vec<String> {
    let line = |call: &ToolCall| {
        let arguments = match serde_json::from_str::<Value>(&call.arguments) {
            Ok(value) => normaliser.json(&value).to_string(),
            Err(_) => format!("(not JSON) {}", Value::from(normaliser.message(&call.arguments))),
        };
        let id = normaliser.message(&call.id);
        let id = match id.as_str() {
            "" => "no id",
            // An id of the upstream contains a token of upfault.
            id if id.contains("<token ") => id,
            _ => "<own id>",
        };
        format!("tool call: {} {arguments}, {id}", normaliser.message(&call.name))
    };
    calls.iter().map(line).collect()
}
