//! What carries an answer of Google's.

use serde_json::Value;

use crate::provider::request::RequestedCall;

/// How a request wants the pieces of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamFormat {
    /// In one object.
    Whole,
    /// As events: `alt=sse`.
    Events,
    /// As the elements of one array.
    Array,
}

impl StreamFormat {
    /// As the path and its query ask for it.
    pub(super) fn of(asked: &RequestedCall) -> Self {
        let sse = || {
            url::form_urlencoded::parse(asked.query.as_bytes())
                .any(|(name, value)| (&*name, &*value) == ("alt", "sse"))
        };
        match asked.stream {
            false => Self::Whole,
            true if sse() => Self::Events,
            true => Self::Array,
        }
    }
}

/// As Google writes it: with its character set.
pub(super) const JSON: &str = "application/json; charset=UTF-8";

/// Indented by two spaces, with a line feed at its end.
pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
