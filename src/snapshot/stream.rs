//! The shape of a stream: the kinds of its events in their order, with consecutive content events merged.

use serde_json::Value;

use super::{normaliser::Normaliser, tool_calls};
use crate::{
    dialect::{
        by_shape::{
            content, counts_are_final, finish_reason, has_tool_call, is_error, is_known_chunk, usage,
        },
        exception_type, inner_event,
    },
    observation::ReceivedFrame,
};

/// The meaning of a stream event for a caller.
enum Part {
    /// A piece of content, with its text if it is plain text.
    Content(String),
    /// An event without content: a role, an empty delta.
    Empty,
    /// A named event (`content_block_start`, `response.created`).
    Named(String),
    /// Why the content ended, as the provider names it.
    FinishReason(String),
    /// The names of the usage counts.
    Usage(String),
    /// `data: [DONE]`.
    Done,
    /// An error, with the name of its event if it has one.
    Error(Option<String>, Value),
    /// Other JSON.
    Unknown(Value),
    /// Data that is not JSON.
    Unparsed(String),
}

/// Describes the shape of a stream, one line for each run of similar events.
pub(super) fn shape(frames: &[ReceivedFrame], normaliser: &Normaliser) -> Vec<String> {
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
                lines.push(format!("event that is not JSON: {}", Value::from(normaliser.message(text))));
            }
        }
        rest = &rest[run..];
    }
    let values: Vec<Value> = frames.iter().filter_map(value).collect();
    lines.extend(tool_calls::lines(&tool_calls::of(&values), normaliser));
    if lines.is_empty() {
        lines.push("no events".to_owned());
    }
    lines
}

/// The JSON of an event, or of the event inside it.
fn value(frame: &ReceivedFrame) -> Option<Value> {
    let value: Value = serde_json::from_str(&frame.data).ok()?;
    Some(inner_event(&value).and_then(|inner| serde_json::from_str(&inner).ok()).unwrap_or(value))
}

fn counted(n: usize, what: &str) -> String {
    // "event without content" becomes "events without content".
    if n == 1 { format!("1 {what}") } else { format!("{n} {}", what.replacen("event", "events", 1)) }
}

/// Whether `part` belongs to the run that `first` starts. Only content, empty and equally named events are merged: two
/// terminators or two errors must remain visible.
fn same_run(first: &Part, part: &Part) -> bool {
    match (first, part) {
        (Part::Content(_), Part::Content(_)) | (Part::Empty, Part::Empty) => true,
        (Part::Named(a), Part::Named(b)) => a == b,
        _ => std::ptr::eq(first, part),
    }
}

fn classify(frame: &ReceivedFrame) -> Vec<Part> {
    let data = frame.data.trim();
    if data == "[DONE]" {
        return vec![Part::Done];
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return match &frame.event {
            Some(name) if name == "ping" => vec![],
            Some(name) if exception_type(name).is_some() => {
                vec![Part::Error(Some(name.clone()), data.into())]
            }
            Some(name) if data.is_empty() => vec![Part::Named(name.clone())],
            _ => vec![Part::Unparsed(data.to_owned())],
        };
    };
    let kind = value.get("type").and_then(Value::as_str).or(frame.event.as_deref());
    if kind == Some("ping") {
        // The number of keep-alives depends on timing.
        return vec![];
    }
    if is_error(&value, kind) {
        return vec![Part::Error(frame.event.clone(), value)];
    }
    if let Some(data) = inner_event(&value) {
        return classify(&ReceivedFrame { at_ms: 0.0, event: None, data });
    }
    let mut parts = Vec::new();
    let content = content(&value);
    if !content.is_empty() || has_tool_call(&value) {
        parts.push(Part::Content(content));
    } else if let Some(kind) = kind {
        parts.push(Part::Named(kind.to_owned()));
    }
    let reason = finish_reason(&value);
    let counts = counts_are_final(&value, reason.is_some());
    parts.extend(reason.map(Part::FinishReason));
    parts.extend(usage(&value).filter(|_| counts).map(Part::Usage));
    if parts.is_empty() {
        parts.push(if is_known_chunk(&value) { Part::Empty } else { Part::Unknown(value) });
    }
    parts
}
