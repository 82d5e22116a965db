//! Tool calls, in the form in which each dialect writes them.

use serde_json::Value;

/// A part of a tool call, from one event of a stream; or a whole call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ToolCallPart {
    /// The number by which a client joins the parts of one call; `None` for a call that is never sent in parts.
    pub index: Option<u64>,
    /// The id; empty if the part has none.
    pub id: String,
    /// The name of the tool; empty if the part has none.
    pub name: String,
    /// A piece of the arguments.
    pub arguments: String,
}

/// A tool call, as a client assembles it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCall {
    /// The number by which a client joins its parts.
    index: Option<u64>,
    /// The id; empty if the call has none.
    pub id: String,
    /// The name of the tool.
    pub name: String,
    /// The arguments as text: JSON, unless they were damaged or cut off.
    pub arguments: String,
}

impl ToolCall {
    /// Whether both call the same tool with the same arguments. Arguments are compared as JSON, because some dialects
    /// send them as an object and others as text.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let no_arguments =
            |text: &str| if text.trim().is_empty() { "{}".to_owned() } else { text.to_owned() };
        let (a, b) = (no_arguments(&self.arguments), no_arguments(&other.arguments));
        self.name == other.name
            && (a == b || self.parsed().is_some_and(|value| other.parsed() == Some(value)))
    }

    /// Whether the arguments are complete.
    pub(crate) fn is_whole(&self) -> bool {
        self.parsed().is_some()
    }

    fn parsed(&self) -> Option<Value> {
        if self.arguments.trim().is_empty() {
            return Some(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_str(&self.arguments).ok()
    }
}

/// Adds a part to the calls, as a client does: to the call with the same index, or as a new call.
pub(crate) fn add_part(calls: &mut Vec<ToolCall>, part: &ToolCallPart) {
    let open = calls.iter_mut().find(|call| part.index.is_some() && call.index == part.index);
    let call = match open {
        Some(call) => call,
        None => {
            calls.push(ToolCall { index: part.index, ..ToolCall::default() });
            let Some(call) = calls.last_mut() else { return };
            call
        }
    };
    // A client joins names as it joins arguments; ids that are repeated stay the same.
    for (whole, piece) in [(&mut call.id, &part.id), (&mut call.name, &part.name)] {
        if whole != piece {
            whole.push_str(piece);
        }
    }
    call.arguments.push_str(&part.arguments);
}

/// The parts of tool calls in one event of a stream, or the calls of a whole response, of any dialect.
pub(crate) fn tool_call_parts(value: &Value) -> Vec<ToolCallPart> {
    let mut parts = Vec::new();
    chat(value, &mut parts);
    anthropic(value, &mut parts);
    openai_events(value, &mut parts);
    gemini(value, &mut parts);
    converse(value, &mut parts);
    cohere_and_ollama(value, &mut parts);
    parts
}

/// `openai/chat`. Only the calls of the first choice, or of the only one.
fn chat(value: &Value, parts: &mut Vec<ToolCallPart>) {
    let choices = list(value, "choices");
    let is_first = |choice: &&Value| choice.get("index").is_none_or(|index| *index == 0);
    let Some(choice) = (if choices.len() == 1 { choices.first() } else { choices.iter().find(is_first) })
    else {
        return;
    };
    for (holder, is_delta) in [("delta", true), ("message", false)] {
        for (n, call) in
            choice.get(holder).map(|it| list(it, "tool_calls")).unwrap_or_default().iter().enumerate()
        {
            // A chunk without an index continues the call at its place in the list.
            let index = call.get("index").and_then(Value::as_u64).unwrap_or(n as u64);
            parts.push(ToolCallPart { index: is_delta.then_some(index), ..function(call) });
        }
    }
}

/// A call `{id, function: {name, arguments}}`.
fn function(call: &Value) -> ToolCallPart {
    ToolCallPart {
        index: None,
        id: text(call.get("id")),
        name: text(call.pointer("/function/name")),
        arguments: arguments(call.pointer("/function/arguments")),
    }
}

/// `anthropic/messages`, and Anthropic's models at Bedrock.
fn anthropic(value: &Value, parts: &mut Vec<ToolCallPart>) {
    let index = || value.get("index").and_then(Value::as_u64);
    let is_call = |block: &&Value| block.get("type").is_some_and(|kind| kind == "tool_use");
    if let Some(block) = value.get("content_block").filter(is_call) {
        parts.push(ToolCallPart {
            index: index(),
            id: text(block.get("id")),
            name: text(block.get("name")),
            // The `input` of a block that begins is an empty object.
            arguments: String::new(),
        });
    }
    if let Some(piece) = value.pointer("/delta/partial_json").and_then(Value::as_str) {
        parts.push(ToolCallPart { index: index(), arguments: piece.to_owned(), ..ToolCallPart::default() });
    }
    for block in list(value, "content").iter().filter(is_call) {
        parts.push(ToolCallPart {
            index: None,
            id: text(block.get("id")),
            name: text(block.get("name")),
            arguments: arguments(block.get("input")),
        });
    }
}

/// `openai/responses` and `openai/realtime`.
fn openai_events(value: &Value, parts: &mut Vec<ToolCallPart>) {
    let index = value.get("output_index").and_then(Value::as_u64);
    let call = |item: &Value, index: Option<u64>| ToolCallPart {
        index,
        id: text(item.get("call_id")),
        name: text(item.get("name")),
        arguments: arguments(item.get("arguments")),
    };
    let is_call = |item: &&Value| item.get("type").is_some_and(|kind| kind == "function_call");
    match value.get("type").and_then(Value::as_str) {
        Some("response.output_item.added") => {
            parts.extend(value.get("item").filter(is_call).map(|item| call(item, index)))
        }
        Some("response.function_call_arguments.delta") => {
            let arguments = text(value.get("delta"));
            parts.push(ToolCallPart { index, arguments, ..ToolCallPart::default() });
        }
        _ => parts.extend(list(value, "output").iter().filter(is_call).map(|item| call(item, None))),
    }
}

/// `gemini/generate`. A call is never sent in parts.
fn gemini(value: &Value, parts: &mut Vec<ToolCallPart>) {
    let Some(content) = list(value, "candidates").first().and_then(|candidate| candidate.get("content"))
    else {
        return;
    };
    for call in list(content, "parts").iter().filter_map(|part| part.get("functionCall")) {
        parts.push(ToolCallPart {
            index: None,
            id: text(call.get("id")),
            name: text(call.get("name")),
            arguments: arguments(call.get("args")),
        });
    }
}

/// `bedrock/converse`
fn converse(value: &Value, parts: &mut Vec<ToolCallPart>) {
    let index = value.get("contentBlockIndex").and_then(Value::as_u64);
    let call = |tool: &Value, index| ToolCallPart {
        index,
        id: text(tool.get("toolUseId")),
        name: text(tool.get("name")),
        arguments: arguments(tool.get("input")),
    };
    for pointer in ["/start/toolUse", "/delta/toolUse"] {
        parts.extend(value.pointer(pointer).map(|tool| call(tool, index)));
    }
    let blocks = value.pointer("/output/message").map(|message| list(message, "content")).unwrap_or_default();
    parts.extend(blocks.iter().filter_map(|block| block.get("toolUse")).map(|tool| call(tool, None)));
}

/// `cohere/chat` and `ollama/chat`
fn cohere_and_ollama(value: &Value, parts: &mut Vec<ToolCallPart>) {
    let index = value.get("index").and_then(Value::as_u64);
    if let Some(call) = value.pointer("/delta/message/tool_calls").filter(|call| call.is_object()) {
        parts.push(ToolCallPart { index, ..function(call) });
    }
    let calls = value.get("message").map(|message| list(message, "tool_calls")).unwrap_or_default();
    parts.extend(calls.iter().map(function));
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Arguments as text: some dialects send an object.
fn arguments(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(object) => object.to_string(),
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn assembled(events: &[Value]) -> Vec<(String, String, String)> {
        let mut calls = Vec::new();
        for part in events.iter().flat_map(tool_call_parts) {
            add_part(&mut calls, &part);
        }
        calls.into_iter().map(|call| (call.id, call.name, call.arguments)).collect()
    }

    #[test]
    fn a_chat_with_two_calls_under_one_index_becomes_one_damaged_call_as_in_a_client() {
        let part = |index: u64, name: &str, arguments: &str| {
            let function = json!({"name": name, "arguments": arguments});
            json!({"choices": [{"delta": {"tool_calls": [{"index": index, "id": format!("i{name}"), "function": function}]}}]})
        };
        let two = assembled(&[part(0, "a", "{}"), part(1, "b", "{}")]);
        assert_eq!(two, [("ia".into(), "a".into(), "{}".into()), ("ib".into(), "b".into(), "{}".into())]);
        let merged = assembled(&[part(0, "a", "{}"), part(0, "b", "{}")]);
        assert_eq!(merged, [("iaib".into(), "ab".into(), "{}{}".into())]);
    }

    #[test]
    fn no_arguments_are_the_empty_object() {
        let call = |arguments: &str| ToolCall {
            name: "a".into(),
            arguments: arguments.into(),
            ..ToolCall::default()
        };
        assert!(call("").says_the_same(&call("{}")) && call("").is_whole());
        assert!(call(r#"{"b":1,"c":2}"#).says_the_same(&call(r#"{"c": 2, "b": 1}"#)));
        assert!(!call(r#"{"b":1"#).is_whole() && !call("{}").says_the_same(&call(r#"{"b":1}"#)));
    }
}
