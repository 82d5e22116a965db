//! Formats a fault as in a scenario file.

use serde_json::Value;

use crate::scenario::Fault;

/// Returns the text of a list item: `reset: {at: {after_events: 3}}`.
pub(crate) fn written(fault: &Fault) -> String {
    match serde_json::to_value(fault) {
        Ok(Value::Object(members)) if members.len() == 1 => {
            members.iter().map(|(name, value)| format!("{name}: {}", flow(value))).collect()
        }
        Ok(value) => flow(&value),
        // A fault always serializes, so this is not reached.
        Err(_) => fault.to_string(),
    }
}

/// Formats a value in YAML's flow style. The words of a fault and durations such as `1m 30s` need no quotes.
fn flow(value: &Value) -> String {
    match value {
        Value::String(text) if is_plain(text) => text.clone(),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{name}: {}", flow(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// Whether the text needs no quotes in a list.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.contains(['{', '}', '[', ']', ',', ':', '#', '\'', '"'])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::{CloseFrame, Http1Fault, Point};

    #[test]
    fn a_fault_has_the_text_of_a_scenario_file() {
        for (fault, text) in [
            (Fault::Refuse, "refuse"),
            (Fault::Reset { at: Point::AfterEvents(3) }, "reset: {at: {after_events: 3}}"),
            (Fault::Http1(Http1Fault::FoldedHeader), "http1: folded_header"),
            (Fault::Http1(Http1Fault::Interim(103)), "http1: {interim: 103}"),
            (
                Fault::CloseFrame(CloseFrame {
                    code: None,
                    reason: "it's over".into(),
                    at: Point::AfterHeaders,
                }),
                "close_frame: {reason: 'it''s over', at: after_headers}",
            ),
            (
                Fault::Delay { at: Point::BeforeHeaders, lasting: Duration::from_millis(150) },
                "delay: {at: before_headers, for: 150ms}",
            ),
        ] {
            assert_eq!(written(&fault), text);
        }
    }
}
