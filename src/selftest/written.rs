//! A fault as people write it in a scenario file.

use serde_json::Value;

use crate::scenario::Fault;

/// `reset: {at: {after_events: 3}}`, as it stands behind the dash of a list.
pub fn written(fault: &Fault) -> String {
    match serde_json::to_value(fault) {
        Ok(Value::Object(members)) if members.len() == 1 => {
            members.iter().map(|(name, value)| format!("{name}: {}", flow(value))).collect()
        }
        Ok(value) => flow(&value),
        // A fault is a plain value: this is not reached.
        Err(_) => fault.to_string(),
    }
}

/// YAML's flow style. The words of a fault need no quotes; a duration such as `1m 30s` neither.
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

/// Whether it can stand in a list without quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.trim() == text && !text.contains(['{', '}', '[', ']', ',', ':', '#', '\'', '"'])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::{CloseFrame, Http1Fault, Point};

    #[test]
    fn a_fault_is_shown_as_it_is_written() {
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
