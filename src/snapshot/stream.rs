//! The shape of a stream: what kind of events came, in which order, with content run together.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{
    event_text::{content, finish_reason, has_tool_call, usage},
    normalise::Normaliser,
};
use crate::observation::ReceivedFrame;

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

fn classify(frame: &ReceivedFrame) -> Vec<Part> {
    let data = frame.data.trim();
    if data == "[DONE]" {
        return vec![Part::Done];
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return match &frame.event {
            Some(name) if name == "ping" => vec![],
            Some(name) if is_exception(name) => vec![Part::Error(Some(name.clone()), data.into())],
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
    if let Some(inner) = inner(&value) {
        return classify(&inner);
    }
    let mut parts = Vec::new();
    let content = content(&value);
    if !content.is_empty() || has_tool_call(&value) {
        parts.push(Part::Content(content));
    } else if let Some(kind) = kind {
        parts.push(Part::Named(kind.to_owned()));
    }
    let reason = finish_reason(&value);
    // Google counts in every chunk; the last count is the one that holds.
    let counts = value.get("candidates").is_none() || reason.is_some();
    parts.extend(reason.map(Part::FinishReason));
    parts.extend(usage(&value).filter(|_| counts).map(Part::Usage));
    if parts.is_empty() {
        let known = ["choices", "candidates", "done"].iter().any(|name| value.get(*name).is_some());
        parts.push(if known { Part::Empty } else { Part::Unknown(value) });
    }
    parts
}

/// The event that an event of Bedrock's Invoke carries as base64.
fn inner(value: &Value) -> Option<ReceivedFrame> {
    let bytes = BASE64_STANDARD.decode(value.get("bytes")?.as_str()?).ok()?;
    Some(ReceivedFrame { at_ms: 0.0, event: None, data: String::from_utf8(bytes).ok()? })
}

/// Whether the name of an event says that it is an exception, or an error below that.
fn is_exception(name: &str) -> bool {
    name.starts_with("exception:") || name.starts_with("error:")
}

fn is_error(value: &Value, kind: Option<&str>) -> bool {
    value.get("error").is_some_and(|error| !error.is_null())
        || kind.is_some_and(|kind| kind == "error" || kind.ends_with(".failed") || is_exception(kind))
        // Cohere's message ends with its error.
        || value.pointer("/delta/error").is_some_and(|error| !error.is_null())
        || value.pointer("/delta/finish_reason").and_then(Value::as_str).is_some_and(|r| r.starts_with("ERROR"))
}
