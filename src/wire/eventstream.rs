//! `application/vnd.amazon.eventstream`: AWS's binary framing of streamed events: encoder and decoder.
//!
//! A message consists of its own length (`u32`), the length of its headers (`u32`), a CRC-32 of these eight bytes,
//! the headers, the payload, and a CRC-32 of everything before it. A header consists of the length of its name
//! (`u8`), the name, the type of its value (`u8`) and the value. All numbers are big-endian.
//!
//! Source: <https://smithy.io/2.0/aws/amazon-eventstream.html>; the limits are those of
//! botocore's `eventstream.py` and of that page.

mod header;
mod violation;

use std::{collections::VecDeque, ops::Range};

use bytes::Bytes;

pub(crate) use header::{EventStreamHeader, HeaderValue};
pub(crate) use violation::{EventStreamViolation, EventStreamViolationKind, MessageTooLong};

/// The maximum length of a message, with all its parts, in bytes: 16 MiB.
pub(crate) const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// The maximum length of the headers of a message, in bytes: 128 KiB.
pub(crate) const MAX_HEADERS: usize = 128 * 1024;

/// The length of the prelude in bytes: both lengths and their checksum.
const PRELUDE: usize = 12;

/// The length of a message without its headers and payload, in bytes.
const OVERHEAD: usize = PRELUDE + 4;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EventStreamMessage {
    /// The headers in order; no name occurs twice.
    pub headers: Vec<EventStreamHeader>,
    /// The payload, usually JSON.
    pub payload: Vec<u8>,
    /// The byte range of the message in the stream.
    pub span: Range<u64>,
}

impl EventStreamMessage {
    /// The value of the header with this name, if it is a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).and_then(|header| match &header.value {
            HeaderValue::String(text) => Some(text.as_str()),
            _ => None,
        })
    }
}

/// The maximum number of violations that a decoder keeps.
const MAX_VIOLATIONS: usize = 256;

/// An incremental decoder: [`feed`](Self::feed) bytes, [`pop`](Self::pop) messages, then
/// [`finish`](Self::finish). The split of the bytes makes no difference. It buffers at most
/// one incomplete message, and so at most [`MAX_MESSAGE`] bytes in addition to the last input.
#[derive(Debug, Default)]
pub(crate) struct EventStreamDecoder {
    strict: bool,
    /// The number of bytes of complete messages so far.
    taken: u64,
    /// The bytes of the incomplete message.
    rest: Vec<u8>,
    /// Whether message boundaries are unknown after a fatal violation.
    lost: bool,
    messages: VecDeque<EventStreamMessage>,
    violations: Vec<EventStreamViolation>,
}

impl EventStreamDecoder {
    /// Creates a decoder that accepts as much as the most tolerant AWS SDK, and records violations. A message with
    /// invalid headers is returned with the headers that are readable; a wrong length or checksum ends the stream
    /// before that message.
    pub(crate) fn lenient() -> Self {
        Self::default()
    }

    /// Creates a decoder that returns the first violation as an error and then accepts no more bytes.
    pub(crate) fn strict() -> Self {
        Self { strict: true, ..Self::default() }
    }

    /// Decodes bytes. [`pop`](Self::pop) returns the messages that they complete.
    ///
    /// # Errors
    /// Strict decoders only: the first violation. [`pop`](Self::pop) still returns the messages before it.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), EventStreamViolation> {
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

    /// Returns the next message, if one is complete.
    pub(crate) fn pop(&mut self) -> Option<EventStreamMessage> {
        self.messages.pop_front()
    }

    /// The violations so far, at most 256.
    pub(crate) fn violations(&self) -> &[EventStreamViolation] {
        &self.violations
    }

    /// Ends the stream, and returns all violations.
    ///
    /// # Errors
    /// Strict decoders only: the first violation.
    #[cfg(test)]
    pub(crate) fn finish(mut self) -> Result<Vec<EventStreamViolation>, EventStreamViolation> {
        self.check()?;
        if !self.rest.is_empty() {
            self.violation(EventStreamViolationKind::Incomplete);
        }
        self.check()?;
        Ok(self.violations)
    }

    /// Decodes the message at the start of `bytes` and returns its length; `None` if it is incomplete or unreadable.
    fn message(&mut self, bytes: &[u8]) -> Option<usize> {
        let total = number(bytes, 0)?;
        let headers = number(bytes, 4)?;
        let prelude_crc = number(bytes, 8)?;
        let (total, headers) = (total as usize, headers as usize);
        // The checksum is verified first, because the lengths in a damaged prelude are meaningless.
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

/// Returns all complete messages of a stream; ignores violations.
pub(crate) fn decode(bytes: &[u8]) -> Vec<EventStreamMessage> {
    let mut decoder = EventStreamDecoder::lenient();
    // The lenient decoder records violations instead of failing.
    let _ = decoder.feed(bytes);
    std::iter::from_fn(|| decoder.pop()).collect()
}

/// Updates the checksums of the messages in `changed`, at the positions where `decode` finds messages in `original`.
/// The two must differ only in replaced bytes, not in length. Messages that were invalid in `original` stay
/// invalid.
pub(crate) fn reseal(original: &[u8], changed: &mut [u8]) {
    for message in decode(original) {
        let [Ok(start), Ok(end)] = [message.span.start, message.span.end].map(usize::try_from) else {
            continue;
        };
        let Some(bytes) = changed.get_mut(start..end) else { continue };
        let (said, checksum) = bytes.split_at_mut(bytes.len() - 4);
        checksum.copy_from_slice(&crc32fast::hash(said).to_be_bytes());
    }
}

/// Encodes a message whose headers are strings.
///
/// # Errors
/// A part is longer than the format or the limits of receivers allow.
pub(crate) fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Result<Bytes, MessageTooLong> {
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
