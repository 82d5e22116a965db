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
    /// Before the last frame: the terminator of a stream, or the last byte of a body that is not a stream.
    BeforeEnd,
}

impl Point {
    /// Whether it comes before another point in every response that has both. False if that depends
    /// on the response: bytes and events are counted separately.
    pub(crate) fn is_before(self, other: Self) -> bool {
        match (self.named_by_headers(), other.named_by_headers()) {
            (Self::AfterEvents(a), Self::AfterEvents(b)) => a < b,
            (Self::AfterBytes(a), Self::AfterBytes(b)) => a < b,
            (Self::AfterEvents(_), Self::AfterBytes(_)) | (_, Self::BeforeHeaders) => false,
            (Self::AfterBytes(_), Self::AfterEvents(_) | Self::BeforeEnd) | (Self::BeforeEnd, _) => false,
            (Self::AfterHeaders, to) => to != Self::AfterHeaders,
            (Self::AfterEvents(_) | Self::AfterBytes(_), Self::AfterHeaders) => false,
            (Self::AfterEvents(_), Self::BeforeEnd) => true,
            (Self::BeforeHeaders, _) => true,
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
            _ => false,
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
            Self::BeforeEnd => f.write_str("before the end"),
        }
    }
}
