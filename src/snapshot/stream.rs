//! The shape of a stream: what kind of events came, in which order, with content run together.

use serde_json::Value;

use super::normalise::Normaliser;
use crate::observation::Frame;

/// What an event of a stream is to a caller.
enum Part {
    /// A piece of content, with its text where it is plain to see.
    Content(String),
    /// An event without content or meaning of its own: a role, an empty delta.
    Empty,
    /// An event with a name of its own (`content_block_start`, `response.created`).
    Named(String),
    /// Why the content ended, in the provider's word.
    FinishReason(String),
    /// Which counts were given.
    Usage(String),
    /// `data: [DONE]`.
    Done,
    /// An error, under its event name if it has one.
    Error(Option<String>, Value),
    /// JSON that is none of these.
    Unknown(Value),
    /// Not even JSON.
    Unparsed(String),
}

/// The lines of a stream's shape.
pub(super) fn shape(frames: &[Frame], normaliser: &Normaliser) -> Vec<String> {
    let parts: Vec<Part> = frames.iter().flat_map(classify).collect();
    let mut lines = Vec::new();
    let mut rest = parts.as_slice();
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|part| same_run(first, part)).count();
        match first {
            Part::Content(_) => {
                let text: String = rest[..run]
                    .iter()
                    .filter_map(
                        |part| if let Part::Content(text) = part { Some(text.as_str()) } else { None },
                    )
                    .collect();
                let text = Value::from(normaliser.message(&text));
                lines.push(format!("{}: {text}", counted(run, "content event")));
            }
            Part::Empty => lines.push(counted(run, "event without content")),
            Part::Named(name) => lines.push(counted(run, &format!("{} event", normaliser.message(name)))),
            Part::FinishReason(reason) => {
                lines.push(format!("finish_reason: {}", normaliser.message(reason)))
            }
            Part::Usage(names) => lines.push(format!("usage: {names}")),
            Part::Done => lines.push("[DONE]".to_owned()),
            Part::Error(name, value) => {
                match name {
                    Some(name) => lines.push(format!("error event (event: {}):", normaliser.message(name))),
                    None => lines.push("error event:".to_owned()),
                }
                lines.extend(normaliser.pretty(value).lines().map(|line| format!("  {line}")));
            }
            Part::Unknown(value) => lines.push(format!("unknown event: {}", normaliser.json(value))),
            Part::Unparsed(text) => {
                lines.push(format!("event that is no JSON: {}", Value::from(normaliser.message(text))));
            }
        }
        rest = &rest[run..];
    }
    if lines.is_empty() {
        lines.push("no events".to_owned());
    }
    lines
}

fn counted(n: usize, what: &str) -> String {
    // "event without content" becomes "events without content".
    if n == 1 { format!("1 {what}") } else { format!("{n} {}", what.replacen("event", "events", 1)) }
}

/// Whether `part` goes on with what `first` began. Only content and its like are run together:
/// two terminators or two errors are something to see.
fn same_run(first: &Part, part: &Part) -> bool {
    match (first, part) {
        (Part::Content(_), Part::Content(_)) | (Part::Empty, Part::Empty) => true,
        (Part::Named(a), Part::Named(b)) => a == b,
        _ => std::ptr::eq(first, part),
    }
}

fn classify(frame: &Frame) -> Vec<Part> {
    let data = frame.data.trim();
    if data == "[DONE]" {
        return vec![Part::Done];
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return match &frame.event {
            Some(name) if name == "ping" => vec![],
            Some(name) if data.is_empty() => vec![Part::Named(name.clone())],
            _ => vec![Part::Unparsed(data.to_owned())],
        };
    };
    let kind = value.get("type").and_then(Value::as_str).or(frame.event.as_deref());
    if kind == Some("ping") {
        // Keep-alives come by the clock.
        return vec![];
    }
    if is_error(&value, kind) {
        return vec![Part::Error(frame.event.clone(), value)];
    }
    let mut parts = Vec::new();
    let content = content(&value);
    if !content.is_empty() || has_tool_call(&value) {
        parts.push(Part::Content(content));
    } else if let Some(kind) = kind {
        parts.push(Part::Named(kind.to_owned()));
    }
    if let Some(reason) = finish_reason(&value) {
        parts.push(Part::FinishReason(reason));
    }
    if let Some(names) = usage(&value) {
        parts.push(Part::Usage(names));
    }
    if parts.is_empty() {
        let known = value.get("choices").is_some() || value.get("candidates").is_some();
        parts.push(if known { Part::Empty } else { Part::Unknown(value) });
    }
    parts
}

fn is_error(value: &Value, kind: Option<&str>) -> bool {
    value.get("error").is_some_and(|error| !error.is_null())
        || kind.is_some_and(|kind| kind == "error" || kind.ends_with(".failed"))
}

/// The text of a content event, in any of the dialects; also of a whole answer.
pub(super) fn content(value: &Value) -> String {
    let mut text = String::new();
    // openai/chat: choices[].delta.content, choices[].message.content
    for choice in list(value, "choices") {
        for part in ["delta", "message"] {
            if let Some(piece) = choice.pointer(&format!("/{part}/content")).and_then(Value::as_str) {
                text.push_str(piece);
            }
        }
    }
    // gemini/generate: candidates[].content.parts[].text
    for candidate in list(value, "candidates") {
        for part in candidate.get("content").map(|content| list(content, "parts")).unwrap_or_default() {
            text.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default());
        }
    }
    // anthropic/messages: delta.text, content[].text; openai/responses: delta, output[].content[].text
    match value.get("delta") {
        Some(Value::String(piece)) => text.push_str(piece),
        Some(delta) => text.push_str(delta.get("text").and_then(Value::as_str).unwrap_or_default()),
        None => {}
    }
    for block in list(value, "content") {
        text.push_str(block.get("text").and_then(Value::as_str).unwrap_or_default());
    }
    for item in list(value, "output") {
        for block in list(item, "content") {
            text.push_str(block.get("text").and_then(Value::as_str).unwrap_or_default());
        }
    }
    text
}

fn has_tool_call(value: &Value) -> bool {
    let in_chat = list(value, "choices").iter().any(|choice| {
        ["delta", "message"]
            .iter()
            .any(|part| choice.pointer(&format!("/{part}/tool_calls")).is_some_and(|calls| !calls.is_null()))
    });
    in_chat || value.pointer("/delta/partial_json").is_some()
}

/// Why the content ended, where the event or the answer says so.
pub(super) fn finish_reason(value: &Value) -> Option<String> {
    let of_choice = list(value, "choices").iter().find_map(|choice| choice.get("finish_reason")?.as_str());
    let of_candidate =
        || list(value, "candidates").iter().find_map(|choice| choice.get("finishReason")?.as_str());
    let plain = || {
        ["/delta/stop_reason", "/stop_reason", "/stopReason"].iter().find_map(|p| value.pointer(p)?.as_str())
    };
    of_choice.or_else(of_candidate).or_else(plain).map(str::to_owned)
}

/// The names of the counts. Their values depend on how a proxy counts the case's own random token.
pub(super) fn usage(value: &Value) -> Option<String> {
    let usage = value.get("usage").or_else(|| value.get("usageMetadata"))?.as_object()?;
    let mut names: Vec<&str> = usage.keys().map(String::as_str).collect();
    names.sort_unstable();
    Some(names.join(", "))
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
