//! Faults of the message itself: its body, the headers that describe it, and AWS event stream messages.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::point::Point;
use crate::scenario::words::ErrorName;

/// What the upstream sends in place of the body of a successful response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
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
    /// The first half of the JSON body, with a matching Content-Length.
    CutJson,
    /// An error object of the provider's catalogue, with status 200.
    Error(ErrorName),
    /// The normal body with bytes in its text that are not valid UTF-8 (RFC 8259 section 8.1).
    InvalidUtf8,
    /// The normal body after a byte order mark (RFC 8259 section 8.1).
    ByteOrderMark,
    /// The normal body with an additional member that is nested this many levels deep, 1 to 1,000,000.
    DeepNesting(u32),
    /// The normal body with an additional member of this many bytes, 1 to 1,073,741,824.
    VeryLarge(u32),
}

/// A content coding (RFC 9110 section 8.4): a valid one, or a mismatch between the body and its Content-Encoding.
///
/// A proxy need not understand a valid coding that it did not ask for with Accept-Encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ContentEncodingFault {
    /// The body is compressed with gzip, as Content-Encoding says.
    Gzip,
    /// The body is compressed with deflate in the zlib format, as Content-Encoding says.
    Deflate,
    /// The body is in the brotli format, as Content-Encoding says.
    Br,
    /// The body is in the zstd format, as Content-Encoding says.
    Zstd,
    /// Content-Encoding is `gzip`, but the body is not compressed.
    GzipNotSent,
    /// Content-Encoding is `gzip`, but the body is compressed twice.
    DoubleGzip,
    /// The body is compressed and lacks its second half; the HTTP message is complete.
    CutGzip,
}

/// A mismatch between the body and its Content-Type (RFC 9110 section 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ContentTypeFault {
    /// Content-Type is `text/html`, regardless of the body.
    Wrong,
    /// Content-Type names the charset `utf-16`, which is not that of the body.
    WrongCharset,
    /// The response has no Content-Type.
    Missing,
}

/// A defect in the AWS event stream encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum EventStreamFault {
    /// A message has a wrong CRC in its prelude.
    BadPreludeCrc {
        /// The point of the stream before that message.
        at: Point,
    },
    /// A message has a wrong CRC at its end.
    BadMessageCrc {
        /// The point of the stream before that message.
        at: Point,
    },
    /// The server inserts a message of an unknown type; the stream continues after it.
    UnknownMessage {
        /// The point of the stream before that message.
        at: Point,
    },
}

impl EventStreamFault {
    /// The point of the stream at which it takes effect.
    pub fn at(self) -> Point {
        match self {
            Self::BadPreludeCrc { at } | Self::BadMessageCrc { at } | Self::UnknownMessage { at } => at,
        }
    }
}
