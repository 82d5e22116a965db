//! The points of a response at which a fault can take effect.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A point of a response, in the order in which it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Point {
    /// Before the status line.
    BeforeHeaders,
    /// After the headers, before the first byte of the body.
    AfterHeaders,
    /// After this many events of a stream.
    AfterEvents(u32),
    /// After this many bytes of the body.
    AfterBytes(u64),
    /// After the first event of a stream that contains text of the answer.
    AfterContent,
    /// After the first event of a stream that contains arguments of a tool call. In a dialect that sends a call in one
    /// event, this is `after_tool_arguments`.
    InsideToolCall,
    /// After the last event of a stream that contains arguments of a tool call: the calls are complete, the answer is
    /// not.
    AfterToolArguments,
    /// Before the last frame: the terminator of a stream, or the last byte of a body that is not a stream.
    BeforeEnd,
}

impl Point {
    /// Whether it comes before another point in every response that has both. False if that depends
    /// on the response: bytes and events are counted separately.
    pub(crate) fn is_before(self, other: Self) -> bool {
        let (one, other) = (self.named_by_headers(), other.named_by_headers());
        if let (Some(a), Some(b)) = (one.of_content(), other.of_content()) {
            return a < b;
        }
        match (one, other) {
            (Self::AfterEvents(a), Self::AfterEvents(b)) => a < b,
            (Self::AfterBytes(a), Self::AfterBytes(b)) => a < b,
            (_, Self::BeforeHeaders) | (Self::BeforeEnd, _) => false,
            (Self::BeforeHeaders, _) => true,
            (Self::AfterHeaders, to) => to != Self::AfterHeaders,
            (_, Self::AfterHeaders) | (Self::AfterBytes(_), _) => false,
            (_, Self::BeforeEnd) => true,
            // Events, bytes and content are counted separately.
            _ => false,
        }
    }

    /// Whether it depends on the response which of two points comes first, so that `other` may come before this one.
    ///
    /// A fault whose bytes end after the response takes effect before its end, so bytes never come after `before_end`.
    pub(crate) fn may_come_after(self, other: Self) -> bool {
        match (self.named_by_headers(), other.named_by_headers()) {
            // No event is empty.
            (Self::AfterBytes(1), Self::AfterEvents(_)) => false,
            (Self::AfterBytes(_), Self::AfterEvents(_))
            | (Self::AfterEvents(_) | Self::BeforeEnd, Self::AfterBytes(_)) => true,
            // Content begins with the first event or later.
            (Self::AfterEvents(1) | Self::AfterBytes(1), other) if other.is_of_content() => false,
            (Self::AfterEvents(_) | Self::AfterBytes(_), other) => other.is_of_content(),
            (one, Self::AfterEvents(_) | Self::AfterBytes(_)) => one.is_of_content(),
            _ => false,
        }
    }

    /// Whether it is named by what the events of a stream contain.
    pub(crate) fn is_of_content(self) -> bool {
        self.of_content().is_some()
    }

    /// Whether only a stream has it.
    pub(crate) fn is_of_stream(self) -> bool {
        matches!(self, Self::AfterEvents(_)) || self.is_of_content()
    }

    /// The place among the points of this kind: an answer contains its text before its tool calls.
    fn of_content(self) -> Option<u8> {
        match self {
            Self::AfterContent => Some(0),
            Self::InsideToolCall => Some(1),
            Self::AfterToolArguments => Some(2),
            _ => None,
        }
    }

    /// The same point, with its usual name if it is directly after the headers.
    fn named_by_headers(self) -> Self {
        match self {
            Self::AfterEvents(0) | Self::AfterBytes(0) => Self::AfterHeaders,
            point => point,
        }
    }

    /// The default for faults whose point may be left out.
    pub(super) fn after_headers() -> Self {
        Self::AfterHeaders
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeforeHeaders => f.write_str("before headers"),
            Self::AfterHeaders => f.write_str("after headers"),
            Self::AfterEvents(1) => f.write_str("after 1 event"),
            Self::AfterEvents(n) => write!(f, "after {n} events"),
            Self::AfterBytes(1) => f.write_str("after 1 byte"),
            Self::AfterBytes(n) => write!(f, "after {n} bytes"),
            Self::AfterContent => f.write_str("after the first content"),
            Self::InsideToolCall => f.write_str("inside a tool call"),
            Self::AfterToolArguments => f.write_str("after the arguments of the tool calls"),
            Self::BeforeEnd => f.write_str("before the end"),
        }
    }
}
