//! Faults of HTTP/1.1 messages: what a server that conforms to RFC 9112 never sends.

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
