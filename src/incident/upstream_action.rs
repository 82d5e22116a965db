//! What the provider did, as a user names it or as evidence shows it.

use std::time::Duration;

use serde_json::{Value, json};

use super::evidence::IncidentEvidence;
use crate::scenario::{ErrorName, Fault, Point, Provider};

/// What the provider did in the incident.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum UpstreamAction {
    /// It sent an error of its catalogue.
    Error(NamedError),
    /// It, or the connection to it, failed in this way: a name of a fault, or a fault as scenarios write it. The second text
    /// says where that is from: `upfault new --fault reset`.
    Fault(String, String),
    /// What evidence shows. The text says what it is: `curl -i (gemini.txt)`.
    Seen(Box<IncidentEvidence>, String),
}

/// An error of the catalogue that a user names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedError {
    /// The provider that sent it.
    pub provider: Provider,
    /// Its name.
    pub name: ErrorName,
    /// Where that is from: `upfault new --error anthropic/529`.
    pub source: String,
    /// What was assumed to understand the user's words.
    pub assumed: Vec<String>,
}

/// Whether a text names a fault, if it gets the point and the time that it needs.
pub(crate) fn is_fault(text: &str) -> bool {
    with_time(text, 1).is_some()
}

/// Whether the fault that a text names has a length of time that is not in the text itself.
pub(super) fn takes_time(text: &str) -> bool {
    with_time(text, 1) != with_time(text, 2)
}

fn with_time(text: &str, seconds: u64) -> Option<Fault> {
    fault_called(text, Point::AfterContent, Some(Duration::from_secs(seconds)), ErrorName::Internal)
}

/// The fault that a text means: a complete one (`drip: {bytes_per_second: 100}`), or a name, with or without its group
/// (`reset`, `tls: expired_certificate`, `expired_certificate`), which gets the point and the time that it needs. `None`
/// if the text means none.
pub(super) fn fault_called(
    text: &str,
    at: Point,
    lasting: Option<Duration>,
    error: ErrorName,
) -> Option<Fault> {
    let read = |value: Value| serde_json::from_value::<Fault>(value).ok();
    let written: Option<Value> = serde_saphyr::from_str(text.trim()).ok();
    let (group, name) = match &written {
        Some(Value::Object(members)) if members.len() == 1 => {
            let (group, value) = members.iter().next()?;
            (Some(group.as_str()), value.as_str())
        }
        Some(Value::String(name)) => (None, Some(name.as_str())),
        _ => return None,
    };
    let name = name.map(|name| name.trim().replace('-', "_").to_lowercase());
    let (group, name) = match (group, name.as_deref()) {
        (None, Some(name)) => match name.split_once(['/', ' ']) {
            Some((group, name)) => (Some(group), Some(name)),
            None => (None, Some(name)),
        },
        (group, name) => (group, name),
    };
    let complete = written.clone().and_then(read);
    let Some(name) = name else { return complete };
    let groups = [
        "connection",
        "tls",
        "http1",
        "http2",
        "malform",
        "content_encoding",
        "content_type",
        "event_stream",
    ];
    let time = lasting.map(|lasting| humantime::format_duration(lasting).to_string());
    let with = |name: &str| {
        let forms = [
            Some(json!(name)),
            time.as_ref().map(|time| json!({name: {"at": at, "for": time}})),
            time.as_ref().map(|time| json!({name: time})),
            Some(json!({name: {"at": at}})),
            Some(json!({name: {"at": at, "error": error}})),
            Some(json!({name: {"at": at, "code": "internal_error"}})),
            Some(json!({name: error})),
            Some(json!({name: {}})),
        ];
        forms.into_iter().flatten()
    };
    let in_group = |group: &str| with(name).find_map(|value| read(json!({group: value})));
    match group {
        Some(group) => complete.or_else(|| in_group(group)),
        None => {
            complete.or_else(|| with(name).find_map(read)).or_else(|| groups.into_iter().find_map(in_group))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::fault_text;

    fn called(text: &str, lasting: Option<u64>) -> Option<String> {
        let lasting = lasting.map(Duration::from_secs);
        fault_called(text, Point::AfterEvents(3), lasting, ErrorName::Overloaded)
            .map(|fault| fault_text(&fault))
    }

    #[test]
    fn a_time_belongs_only_to_some_faults() {
        for (text, expected) in [
            ("stall", true),
            ("delay", true),
            ("slow_accept", true),
            ("hang", false),
            ("reset", false),
            ("delay: {at: before_headers, for: 2s}", false),
        ] {
            assert_eq!((is_fault(text), takes_time(text)), (true, expected), "{text}");
        }
        assert!(!is_fault("timeout"));
    }

    #[test]
    fn a_fault_is_named_in_several_ways() {
        for (text, lasting, expected) in [
            ("reset", None, "reset: {at: {after_events: 3}}"),
            ("hang", None, "hang: {at: {after_events: 3}}"),
            ("refuse", None, "refuse"),
            ("stall", Some(4), "stall: {at: {after_events: 3}, for: 4s}"),
            ("stall", None, "stall: {at: {after_events: 3}}"),
            ("delay", Some(4), "delay: {at: {after_events: 3}, for: 4s}"),
            ("tls: expired_certificate", None, "tls: expired_certificate"),
            ("tls/expired-certificate", None, "tls: expired_certificate"),
            ("expired_certificate", None, "tls: expired_certificate"),
            ("slow_accept", Some(2), "connection: {slow_accept: 2s}"),
            ("malform: not_json", None, "malform: not_json"),
            ("html", None, "malform: html"),
            ("goaway", None, "http2: {goaway: {code: internal_error, at: {after_events: 3}}}"),
            ("error_event", None, "error_event: {error: overloaded, at: {after_events: 3}}"),
            ("bad_message_crc", None, "event_stream: {bad_message_crc: {at: {after_events: 3}}}"),
            ("drip: {bytes_per_second: 100}", None, "drip: {bytes_per_second: 100}"),
            ("{reset: {at: before_headers}}", None, "reset: {at: before_headers}"),
            ("redirect: 307", None, "redirect: 307"),
            ("drop_terminator", None, "drop_terminator"),
        ] {
            assert_eq!(called(text, lasting).as_deref(), Some(expected), "{text}");
        }
        for unknown in ["rest", "delay", "tls", "", "[1]", "reset: {at: nowhere}", "drip"] {
            assert_eq!(called(unknown, None), None, "{unknown}");
        }
    }
}
