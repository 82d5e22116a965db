//! Writes values in YAML's flow style, as people write them in scenario files.

use serde_json::Value;

use super::fault::Fault;

/// Returns the text of a fault in a list: `reset: {at: {after_events: 3}}`.
pub(crate) fn fault_text(fault: &Fault) -> String {
    match serde_json::to_value(fault) {
        Ok(Value::Object(members)) if members.len() == 1 => {
            members.iter().map(|(name, value)| format!("{}: {}", quoted(name, true), flow(value))).collect()
        }
        Ok(value) => flow(&value),
        // A fault always serializes, so this is not reached.
        Err(_) => fault.to_string(),
    }
}

/// Formats a value in YAML's flow style, on one line. A text has quotes only if it would mean something else without them.
pub(crate) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text, true),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", quoted(name, true), flow(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        other => other.to_string(),
    }
}

/// Formats a text as the value of a key in a block: `title: TEXT`.
pub(crate) fn block_text(text: &str) -> String {
    quoted(text, false)
}

fn quoted(text: &str, in_flow: bool) -> String {
    if is_plain(text, in_flow) {
        text.to_owned()
    } else if text.chars().any(must_be_escaped) {
        escaped(text)
    } else if text.contains(['"', '\\']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    }
}

/// Whether the text is itself without quotes: no other type, no other structure, and no comment.
fn is_plain(text: &str, in_flow: bool) -> bool {
    const STRUCTURE: [char; 8] = ['{', '}', '[', ']', ',', ':', '\'', '"'];
    const OTHER_TYPES: [&str; 12] =
        ["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf"];
    let starts_with_word = text.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '('));
    // `1m 30s` is a text, `7` and `1e3` are numbers, and `2026-11-30` may be a date.
    let digits = text.trim_start_matches(['+', '-', '.']);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits
            .chars()
            .all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | '_' | '+' | '-' | ':' | 'o' | 'x'));
    starts_with_word
        && text.trim() == text
        && !is_number
        && !OTHER_TYPES.contains(&&*text.to_ascii_lowercase())
        && !text.contains(" #")
        && !text.contains(": ")
        && !text.ends_with(':')
        && !text.chars().any(must_be_escaped)
        && !(in_flow && text.contains(STRUCTURE))
}

/// Characters that YAML does not allow as they are, that end a line, or that make a text look different from what it is.
pub(crate) fn must_be_escaped(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text in double quotes, with escapes that JSON and YAML share.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in Value::from(text).to_string().chars() {
        match c {
            c if must_be_escaped(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;

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
                "close_frame: {reason: \"it's over\", at: after_headers}",
            ),
            (
                Fault::Delay { at: Point::BeforeHeaders, lasting: Duration::from_millis(150) },
                "delay: {at: before_headers, for: 150ms}",
            ),
        ] {
            assert_eq!(fault_text(&fault), text);
        }
    }

    #[test]
    fn a_text_has_quotes_only_if_it_needs_them() {
        let value = json!({"retry-after": "27", "x": null, "on": "a, b", "text": "it's", "count": 3, "quote": "\"a\""});
        insta::assert_snapshot!(
            flow(&value),
            @r#"{retry-after: "27", x: null, "on": "a, b", text: "it's", count: 3, quote: '"a"'}"#
        );
        assert_eq!(block_text("Azure's 429, and its wait"), "Azure's 429, and its wait");
        assert_eq!(block_text("Azure: a 429"), "\"Azure: a 429\"");
        assert_eq!(block_text("a\nb\u{85}"), r#""a\nb\u0085""#);
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[-~0-9a-z:#'\"{}, \\\\\n]{0,6}",
            "(yes|1e3|0x1f|-|\\?|&a|2026-11-30|1:2)"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            text.prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[-a-z:, \"#]{1,4}|on|7", inner, 0..3)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_unchanged(value in values()) {
            let text = format!("a: {}\n", flow(&value));
            let read: Value = serde_saphyr::from_str(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
            prop_assert_eq!(&read["a"], &value, "{}", text);
        }

        #[test]
        fn a_text_in_a_block_is_read_back_unchanged(text in any::<String>()) {
            let line = format!("a: {}\n", block_text(&text));
            let read: Value = serde_saphyr::from_str(&line).map_err(|error| TestCaseError::fail(format!("{line}: {error}")))?;
            prop_assert_eq!(read["a"].as_str(), Some(&*text), "{}", line);
        }
    }
}
