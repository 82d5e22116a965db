//! Faults of the message itself: its body, what its headers say of it, the frames of AWS's streams.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::point::Point;
use crate::scenario::words::ErrorName;

/// What stands in place of a 200's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MalformedBody {
    /// `application/json` that is not JSON.
    NotJson,
    /// No bytes at all.
    Empty,
    /// The JSON value `null`.
    Null,
    /// An HTML page.
    Html,
    /// JSON cut off half-way, with a Content-Length that fits.
    CutJson,
    /// An error object of the provider's catalogue, under status 200.
    Error(ErrorName),
    /// The answer with bytes in its text that are no UTF-8 (RFC 8259 section 8.1).
    InvalidUtf8,
    /// The answer behind a byte order mark (RFC 8259 section 8.1).
    ByteOrderMark,
    /// The answer with one more member, nested so many levels deep: 1 to 1,000,000.
    DeepNesting(u32),
    /// The answer with one more member of so many bytes: 1 to 1,073,741,824.
    VeryLarge(u32),
}

/// How a body and its Content-Encoding do not fit (RFC 9110 section 8.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ContentEncodingFault {
    /// gzip is said, and the body is plain.
    GzipNotSent,
    /// gzip is said once, and the body is compressed twice.
    DoubleGzip,
    /// The body is compressed and lacks its second half, under intact HTTP framing.
    CutGzip,
}

/// How a body and its Content-Type do not fit (RFC 9110 section 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ContentTypeFault {
    /// `text/html`, whatever the body is.
    Wrong,
    /// A charset in which the body is not written: `utf-16`.
    WrongCharset,
    /// None at all.
    Missing,
}

/// What is wrong with a message of AWS's event stream encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EventStreamFault {
    /// The message behind this point has a wrong CRC in its prelude.
    BadPreludeCrc {
        /// Where.
        at: Point,
    },
    /// The message behind this point has a wrong CRC at its end.
    BadMessageCrc {
        /// Where.
        at: Point,
    },
    /// A message of a type that nobody knows comes at this point; the stream goes on behind it.
    UnknownMessage {
        /// Where.
        at: Point,
    },
}

impl EventStreamFault {
    /// Where it strikes.
    pub fn at(self) -> Point {
        match self {
            Self::BadPreludeCrc { at } | Self::BadMessageCrc { at } | Self::UnknownMessage { at } => at,
        }
    }
}

impl MalformedBody {
    /// Whether it is still the answer, though hard to read, and not something in its place.
    pub fn keeps_the_answer(self) -> bool {
        matches!(self, Self::InvalidUtf8 | Self::ByteOrderMark | Self::DeepNesting(_) | Self::VeryLarge(_))
    }
}

impl fmt::Display for MalformedBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("not_json"),
            Self::Empty => f.write_str("empty"),
            Self::Null => f.write_str("null"),
            Self::Html => f.write_str("html"),
            Self::CutJson => f.write_str("cut_json"),
            Self::Error(error) => write!(f, "error {error}"),
            Self::InvalidUtf8 => f.write_str("invalid_utf8"),
            Self::ByteOrderMark => f.write_str("byte_order_mark"),
            Self::DeepNesting(levels) => write!(f, "deep_nesting {levels}"),
            Self::VeryLarge(bytes) => write!(f, "very_large {bytes}"),
        }
    }
}

impl fmt::Display for ContentEncodingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GzipNotSent => "gzip_not_sent",
            Self::DoubleGzip => "double_gzip",
            Self::CutGzip => "cut_gzip",
        })
    }
}

impl fmt::Display for ContentTypeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrong => "wrong",
            Self::WrongCharset => "wrong_charset",
            Self::Missing => "missing",
        })
    }
}

impl fmt::Display for EventStreamFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadPreludeCrc { .. } => "bad_prelude_crc",
            Self::BadMessageCrc { .. } => "bad_message_crc",
            Self::UnknownMessage { .. } => "unknown_message",
        })
    }
}
