//! `application/vnd.amazon.eventstream`: AWS's binary framing of streamed events, bytes to messages
//! and back.
//!
//! A message is, in big-endian numbers, its own length (`u32`), the length of its headers (`u32`), a
//! CRC-32 of these eight bytes, the headers, the payload, and a CRC-32 of everything before. A header
//! is the length of its name (`u8`), the name, the type of its value (`u8`) and the value.
//!
//! Source: <https://smithy.io/2.0/aws/amazon-eventstream.html>; limits as botocore's
//! `eventstream.py` and that page have them.

mod header;

use std::{collections::VecDeque, fmt, ops::Range};

use bytes::Bytes;

pub use header::{EventStreamHeader, HeaderValue};

/// The longest message, with all its parts, in bytes: 16 MiB.
pub const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The longest block of headers, in bytes: 128 KiB.
pub const MAX_HEADERS: usize = 128 * 1024;

/// Both lengths and their checksum.
const PRELUDE: usize = 12;

/// What a message is beside its headers and its payload.
const OVERHEAD: usize = PRELUDE + 4;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct EventStreamMessage {
    /// In their order; no name occurs twice.
    pub headers: Vec<EventStreamHeader>,
    /// What it carries, most often JSON.
    pub payload: Vec<u8>,
    /// Offsets of its bytes in the stream.
    pub span: Range<u64>,
}

impl EventStreamMessage {
    /// The value of the header of this name, where it is a string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).and_then(|header| match &header.value {
            HeaderValue::String(text) => Some(text.as_str()),
            _ => None,
        })
    }
}

/// Something in a stream that no sender may write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub struct EventStreamViolation {
    /// What it was.
    pub kind: EventStreamViolationKind,
    /// Where the message begins that has it, in bytes from the start of the stream.
    pub offset: u64,
}

/// What can be wrong with a stream. After the first five no border of a message can be trusted, so
/// that even a lenient decoder reads no further; AWS's SDKs stop there too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventStreamViolationKind {
    /// The checksum of the two lengths is wrong.
    BadPreludeCrc,
    /// The message is shorter than its fixed parts, or longer than [`MAX_MESSAGE`].
    LengthOutOfRange,
    /// The headers are longer than the message leaves room for, or than [`MAX_HEADERS`].
    HeadersLengthOutOfRange,
    /// The checksum of the message is wrong.
    BadMessageCrc,
    /// The stream ended inside a message.
    Incomplete,
    /// The block of headers ends inside a header; those before it were kept.
    HeaderCut,
    /// A value of a type above nine, whose length nobody knows; the headers before it were kept.
    UnknownHeaderType,
    /// A header without a name.
    EmptyHeaderName,
    /// A second header of the same name; the first was kept.
    DuplicateHeader,
    /// A name or a string that is no UTF-8; its bad bytes were replaced by U+FFFD.
    InvalidUtf8,
}

impl EventStreamViolationKind {
    /// Whether nothing after it can be read.
    pub const fn is_fatal(self) -> bool {
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
            Self::BadPreludeCrc => "a wrong checksum of the prelude",
            Self::LengthOutOfRange => "a length of the message that cannot be",
            Self::HeadersLengthOutOfRange => "a length of the headers that cannot be",
            Self::BadMessageCrc => "a wrong checksum of the message",
            Self::Incomplete => "the stream ends inside a message",
            Self::HeaderCut => "the headers end inside a header",
            Self::UnknownHeaderType => "a header of an unknown type",
            Self::EmptyHeaderName => "a header without a name",
            Self::DuplicateHeader => "two headers of the same name",
            Self::InvalidUtf8 => "invalid UTF-8 in a header",
        })
    }
}

/// At most so many violations are kept.
const MAX_VIOLATIONS: usize = 256;

/// An incremental decoder: [`feed`](Self::feed) bytes, [`pop`](Self::pop) messages, then
/// [`finish`](Self::finish). How the bytes are split makes no difference. It holds at most one
/// message that is not complete, and so at most [`MAX_MESSAGE`] bytes beside what it was just fed.
#[derive(Debug, Default)]
pub struct EventStreamDecoder {
    strict: bool,
    /// Bytes of complete messages so far.
    taken: u64,
    /// The message that has begun.
    rest: Vec<u8>,
    /// No border can be trusted any more.
    lost: bool,
    messages: VecDeque<EventStreamMessage>,
    violations: Vec<EventStreamViolation>,
}

impl EventStreamDecoder {
    /// Decodes as much as an AWS SDK at most would, and records the violations: a message whose
    /// headers are wrong is given with those that could be read, while a wrong length or checksum
    /// ends the stream without that message.
    pub fn lenient() -> Self {
        Self::default()
    }

    /// The first violation is an error, and the decoder takes no more bytes.
    pub fn strict() -> Self {
        Self { strict: true, ..Self::default() }
    }

    /// Takes bytes. The messages that they complete are fetched with [`pop`](Self::pop).
    ///
    /// # Errors
    /// Strict decoders only: the first violation. Messages before it can still be fetched.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), EventStreamViolation> {
        self.check()?;
        if self.lost {
            return Ok(());
        }
        let mut buffer = std::mem::take(&mut self.rest);
        buffer.extend_from_slice(bytes);
        let mut at = 0;
        while !self.lost {
            match self.message(&buffer[at..]) {
                Some(length) => at += length,
                None => break,
            }
        }
        if !self.lost {
            buffer.drain(..at);
            self.rest = buffer;
        }
        self.check()
    }

    /// The next message, if one is complete.
    pub fn pop(&mut self) -> Option<EventStreamMessage> {
        self.messages.pop_front()
    }

    /// What was wrong so far; at most 256 entries are kept.
    pub fn violations(&self) -> &[EventStreamViolation] {
        &self.violations
    }

    /// Says that no more bytes will come, and tells all that was wrong.
    ///
    /// # Errors
    /// Strict decoders only: the first violation.
    pub fn finish(mut self) -> Result<Vec<EventStreamViolation>, EventStreamViolation> {
        self.check()?;
        if !self.rest.is_empty() {
            self.violation(EventStreamViolationKind::Incomplete);
        }
        self.check()?;
        Ok(self.violations)
    }

    /// Reads the message that `bytes` begin with and tells its length; `None` where it has not come
    /// in full or cannot be read.
    fn message(&mut self, bytes: &[u8]) -> Option<usize> {
        let total = number(bytes, 0)?;
        let headers = number(bytes, 4)?;
        let prelude_crc = number(bytes, 8)?;
        let (total, headers) = (total as usize, headers as usize);
        // The checksum comes first: of a prelude that is damaged the lengths say nothing.
        let broken = if crc32fast::hash(&bytes[..8]) != prelude_crc {
            Some(EventStreamViolationKind::BadPreludeCrc)
        } else if !(OVERHEAD..=MAX_MESSAGE).contains(&total) {
            Some(EventStreamViolationKind::LengthOutOfRange)
        } else if headers > (total - OVERHEAD).min(MAX_HEADERS) {
            Some(EventStreamViolationKind::HeadersLengthOutOfRange)
        } else if bytes.len() < total {
            return None;
        } else {
            let crc = total - 4;
            (Some(crc32fast::hash(&bytes[..crc])) != number(bytes, crc))
                .then_some(EventStreamViolationKind::BadMessageCrc)
        };
        if let Some(kind) = broken {
            self.lost = true;
            self.violation(kind);
            return None;
        }
        let (block, payload) = bytes[PRELUDE..total - 4].split_at(headers);
        let (headers, wrong) = header::read(block);
        for kind in wrong {
            self.violation(kind);
        }
        if self.strict && !self.violations.is_empty() {
            self.lost = true;
            return None;
        }
        let span = self.taken..self.taken + total as u64;
        self.taken = span.end;
        self.messages.push_back(EventStreamMessage { headers, payload: payload.to_vec(), span });
        Some(total)
    }

    fn check(&self) -> Result<(), EventStreamViolation> {
        match self.violations.first() {
            Some(first) if self.strict => Err(first.clone()),
            _ => Ok(()),
        }
    }

    fn violation(&mut self, kind: EventStreamViolationKind) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(EventStreamViolation { kind, offset: self.taken });
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

/// All complete messages of a stream that is at hand as a whole; violations are passed over.
pub fn decode(bytes: &[u8]) -> Vec<EventStreamMessage> {
    let mut decoder = EventStreamDecoder::lenient();
    // The lenient decoder notes violations instead of failing.
    let _ = decoder.feed(bytes);
    std::iter::from_fn(|| decoder.pop()).collect()
}

/// Puts into `changed` the checksums that its messages need, each of which stands where `decode` finds one in
/// `original`: bytes were replaced, and no length. What was not sound before stays so.
pub fn reseal(original: &[u8], changed: &mut [u8]) {
    for message in decode(original) {
        let [Ok(start), Ok(end)] = [message.span.start, message.span.end].map(usize::try_from) else {
            continue;
        };
        let Some(bytes) = changed.get_mut(start..end) else { continue };
        let (said, checksum) = bytes.split_at_mut(bytes.len() - 4);
        checksum.copy_from_slice(&crc32fast::hash(said).to_be_bytes());
    }
}

/// Why a message cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageTooLong {
    /// A name of no byte or of more than 255.
    #[error("the name of a header has no byte, or more than 255")]
    Name,
    /// A value of more than 32,767 bytes.
    #[error("the value of a header has more than 32767 bytes")]
    Value,
    /// Headers of more than [`MAX_HEADERS`] bytes.
    #[error("the headers have more than 128 KiB")]
    Headers,
    /// More than [`MAX_MESSAGE`] bytes.
    #[error("the message has more than 16 MiB")]
    Message,
}

/// One message as it goes over the wire, its headers being strings.
///
/// # Errors
/// A part that is longer than the format, or a limit that receivers hold, allows.
pub fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Result<Bytes, MessageTooLong> {
    let mut block = Vec::new();
    for (name, value) in headers {
        header::write(&mut block, name, value)?;
    }
    if block.len() > MAX_HEADERS {
        return Err(MessageTooLong::Headers);
    }
    let total = OVERHEAD + block.len() + payload.len();
    if total > MAX_MESSAGE {
        return Err(MessageTooLong::Message);
    }
    let mut message = Vec::with_capacity(total);
    for length in [total, block.len()] {
        message.extend_from_slice(&u32::try_from(length).map_err(|_| MessageTooLong::Message)?.to_be_bytes());
    }
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message.extend_from_slice(&block);
    message.extend_from_slice(payload);
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    Ok(message.into())
}

#[cfg(test)]
mod tests;
