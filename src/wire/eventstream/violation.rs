//! What is wrong with an event stream, or with a message that cannot be encoded.

use std::fmt;

/// A violation of the format in a stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub(crate) struct EventStreamViolation {
    /// The kind of violation.
    pub kind: EventStreamViolationKind,
    /// The offset at which the faulty message begins, in bytes from the start of the stream.
    pub offset: u64,
}

/// The kinds of violations. After the first five, message boundaries are unknown, so that even a lenient decoder
/// stops; AWS's SDKs stop as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EventStreamViolationKind {
    /// The checksum of the two lengths is wrong.
    BadPreludeCrc,
    /// The message is shorter than its fixed parts, or longer than [`MAX_MESSAGE`](super::MAX_MESSAGE).
    LengthOutOfRange,
    /// The headers are longer than the message leaves room for, or than [`MAX_HEADERS`](super::MAX_HEADERS).
    HeadersLengthOutOfRange,
    /// The checksum of the message is wrong.
    BadMessageCrc,
    /// The stream ended inside a message.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the tests end a stream"))]
    Incomplete,
    /// The headers end inside a header; the headers before it are kept.
    HeaderCut,
    /// A value has a type above nine, whose length is undefined; the headers before it are kept.
    UnknownHeaderType,
    /// A header has no name.
    EmptyHeaderName,
    /// A second header has the same name; the first is kept.
    DuplicateHeader,
    /// A name or a string is not UTF-8; invalid bytes are replaced with U+FFFD.
    InvalidUtf8,
}

impl EventStreamViolationKind {
    /// Whether the decoder can read nothing after it.
    pub(crate) const fn is_fatal(self) -> bool {
        matches!(
            self,
            Self::BadPreludeCrc
                | Self::LengthOutOfRange
                | Self::HeadersLengthOutOfRange
                | Self::BadMessageCrc
                | Self::Incomplete
        )
    }
}

impl fmt::Display for EventStreamViolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadPreludeCrc => "a wrong prelude checksum",
            Self::LengthOutOfRange => "an invalid message length",
            Self::HeadersLengthOutOfRange => "an invalid headers length",
            Self::BadMessageCrc => "a wrong message checksum",
            Self::Incomplete => "the stream ends inside a message",
            Self::HeaderCut => "the headers end inside a header",
            Self::UnknownHeaderType => "a header with an unknown type",
            Self::EmptyHeaderName => "a header without a name",
            Self::DuplicateHeader => "two headers with the same name",
            Self::InvalidUtf8 => "invalid UTF-8 in a header",
        })
    }
}

/// The reason why a message cannot be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MessageTooLong {
    /// A header name is empty or longer than 255 bytes.
    #[error("a header name is empty or longer than 255 bytes")]
    Name,
    /// A header value is longer than 32,767 bytes.
    #[error("a header value is longer than 32767 bytes")]
    Value,
    /// The headers are longer than [`MAX_HEADERS`](super::MAX_HEADERS) bytes.
    #[error("the headers are longer than 128 KiB")]
    Headers,
    /// The message is longer than [`MAX_MESSAGE`](super::MAX_MESSAGE) bytes.
    #[error("the message is longer than 16 MiB")]
    Message,
}
