//! The formats of Google's responses.

use serde_json::Value;

use crate::provider::request::RequestedCall;

/// The format in which a request wants the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StreamFormat {
    /// One object, not a stream.
    Whole,
    /// A stream of server-sent events: `alt=sse`.
    Events,
    /// A stream of the elements of one JSON array.
    Array,
}

impl StreamFormat {
    /// The format that the path and the query request.
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

/// Google's content type of JSON, which includes the character set.
pub(super) const JSON: &str = "application/json; charset=UTF-8";

/// Formats JSON with an indent of two spaces and a line feed at the end.
pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
