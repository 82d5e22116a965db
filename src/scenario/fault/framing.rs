//! Faults of HTTP/1.1 messages: what a server that conforms to RFC 9112 never sends.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::point::Point;

/// A defect of the response as an HTTP/1.1 message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Http1Fault {
    /// The server sends bytes that are not a status line in place of it (RFC 9112 section 4).
    GarbageStatusLine,
    /// The response has an invalid status code, 600 to 999 (RFC 9110 section 15).
    UnknownStatus(u16),
    /// The server sends an interim response first: 100, 102 or 103 (RFC 9110 section 15.2). The final response
    /// is complete.
    Interim(u16),
    /// The response has a header of this many bytes, 1 to 1,048,576.
    OversizedHeader(u32),
    /// The response has a header that is folded onto a second line (RFC 9112 section 5.2).
    FoldedHeader,
    /// The response has two Content-Type headers with different values.
    DuplicatedHeader,
    /// The response has two Content-Length headers with different values (RFC 9112 section 6.3).
    ConflictingContentLength,
    /// Content-Length is half the size of the body.
    ShortContentLength,
    /// Content-Length is twice the size of the body; the server closes the connection after the body with a FIN.
    LongContentLength,
    /// Transfer-Encoding is `chunked`, but the body is not chunked (RFC 9112 section 7.1).
    ChunkedNotSent,
    /// Transfer-Encoding names an unknown coding (RFC 9112 section 6.1); the end of the connection marks
    /// the end of the body.
    UnknownTransferEncoding,
    /// A chunk has a size that is not a number (RFC 9112 section 7.1); nothing after it is readable.
    BadChunkSize {
        /// The point of the response at which the chunk begins. Default: `after_headers`.
        #[serde(default = "Point::after_headers")]
        at: Point,
    },
    /// The server sends the complete chunked body, then a FIN in place of the last chunk (RFC 9112 section 8).
    MissingLastChunk,
    /// The server sends bytes after the end of the message, on a connection that stays open.
    TrailingBytes,
    /// The response has status 204 and a body (RFC 9110 section 15.3.5).
    #[serde(rename = "body_on_204")]
    BodyOn204,
    /// The response has status 304 and a body (RFC 9110 section 15.4.5).
    #[serde(rename = "body_on_304")]
    BodyOn304,
}

impl Http1Fault {
    /// Whether the client can read nothing of the response after it, or it decides how the response ends.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::LongContentLength | Self::BadChunkSize { .. } | Self::MissingLastChunk)
    }

    /// Whether it changes how the response marks the end of its body. A response can do that in one way only.
    pub fn is_about_framing(self) -> bool {
        matches!(
            self,
            Self::ConflictingContentLength
                | Self::ShortContentLength
                | Self::LongContentLength
                | Self::ChunkedNotSent
                | Self::UnknownTransferEncoding
                | Self::BadChunkSize { .. }
                | Self::MissingLastChunk
                | Self::TrailingBytes
                | Self::BodyOn204
                | Self::BodyOn304
        )
    }

    /// Whether it can leave bytes of the response on a connection that is reused.
    pub(super) fn spoils_connection(self) -> bool {
        matches!(
            self,
            Self::ConflictingContentLength
                | Self::ShortContentLength
                | Self::TrailingBytes
                | Self::BodyOn204
                | Self::BodyOn304
        )
    }

    /// Whether it replaces the status line.
    pub fn is_about_status(self) -> bool {
        matches!(self, Self::GarbageStatusLine | Self::UnknownStatus(_) | Self::BodyOn204 | Self::BodyOn304)
    }
}

impl fmt::Display for Http1Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GarbageStatusLine => "garbage_status_line",
            Self::UnknownStatus(status) => return write!(f, "unknown_status {status}"),
            Self::Interim(status) => return write!(f, "interim {status}"),
            Self::OversizedHeader(bytes) => return write!(f, "oversized_header {bytes}"),
            Self::FoldedHeader => "folded_header",
            Self::DuplicatedHeader => "duplicated_header",
            Self::ConflictingContentLength => "conflicting_content_length",
            Self::ShortContentLength => "short_content_length",
            Self::LongContentLength => "long_content_length",
            Self::ChunkedNotSent => "chunked_not_sent",
            Self::UnknownTransferEncoding => "unknown_transfer_encoding",
            Self::BadChunkSize { .. } => "bad_chunk_size",
            Self::MissingLastChunk => "missing_last_chunk",
            Self::TrailingBytes => "trailing_bytes",
            Self::BodyOn204 => "body_on_204",
            Self::BodyOn304 => "body_on_304",
        })
    }
}
