//! Faults of HTTP/1.1: what a server that keeps RFC 9112 never sends.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::point::Point;

/// What is wrong with the reply as an HTTP/1.1 message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Http1Fault {
    /// Bytes that are no status line stand in its place (RFC 9112 section 4).
    GarbageStatusLine,
    /// A status code that nobody has registered, or that is none: 600 to 999 (RFC 9110 section 15).
    UnknownStatus(u16),
    /// An interim reply comes first: 100, 102 or 103 (RFC 9110 section 15.2). The final one is whole.
    Interim(u16),
    /// A header of so many bytes, 1 to 1,048,576.
    OversizedHeader(u32),
    /// A header that is folded onto a second line (RFC 9112 section 5.2).
    FoldedHeader,
    /// Content-Type stands there twice, with two values.
    DuplicatedHeader,
    /// Two Content-Length headers that do not agree (RFC 9112 section 6.3).
    ConflictingContentLength,
    /// Content-Length is half of what is sent.
    ShortContentLength,
    /// Content-Length is twice what is sent, then comes a FIN.
    LongContentLength,
    /// Transfer-Encoding says chunked, and the body is not (RFC 9112 section 7.1).
    ChunkedNotSent,
    /// A transfer coding that nobody knows (RFC 9112 section 6.1); the body ends with the connection.
    UnknownTransferEncoding,
    /// A chunk whose size is no number (RFC 9112 section 7.1), and nothing readable behind it.
    BadChunkSize {
        /// Where it stands.
        #[serde(default = "Point::after_headers")]
        at: Point,
    },
    /// A chunked body that is all there, then a FIN in place of its last chunk (RFC 9112 section 8).
    MissingLastChunk,
    /// Bytes behind the end of the message, on a connection that stays open.
    TrailingBytes,
    /// Status 204 with a body (RFC 9110 section 15.3.5).
    #[serde(rename = "body_on_204")]
    BodyOn204,
    /// Status 304 with a body (RFC 9110 section 15.4.5).
    #[serde(rename = "body_on_304")]
    BodyOn304,
}

impl Http1Fault {
    /// Nothing of the reply can be read behind it, or it decides how the reply ends.
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::LongContentLength | Self::BadChunkSize { .. } | Self::MissingLastChunk)
    }

    /// Whether it says how the body's end is told: a reply can do that in one way only.
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

    /// Whether bytes of the reply can be left on a connection that is used again.
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
