//! Splits a streamed body into frames, each with its exact bytes. Pure.

use bytes::{Bytes, BytesMut};

use super::{
    eventstream,
    frame::{Carrier, Frame},
    sse,
};

/// A frame with its exact bytes.
#[derive(Debug)]
pub(crate) struct RawFrame {
    pub frame: Frame,
    pub raw: Bytes,
}

/// Splits incoming bytes into frames.
#[derive(Debug)]
pub(crate) struct Splitter {
    inner: Inner,
    /// The bytes of frames that have not been returned yet.
    raw: BytesMut,
    /// The offset in the stream at which `raw` begins.
    offset: u64,
}

#[derive(Debug)]
enum Inner {
    Sse(sse::SseDecoder),
    Ndjson,
    Aws(eventstream::EventStreamDecoder),
}

impl Splitter {
    pub(crate) fn new(carrier: Carrier) -> Self {
        let inner = match carrier {
            // WebSocket messages are not a body.
            Carrier::Sse | Carrier::WebSocket => Inner::Sse(sse::SseDecoder::lenient()),
            Carrier::Ndjson => Inner::Ndjson,
            Carrier::Aws => Inner::Aws(eventstream::EventStreamDecoder::lenient()),
        };
        Self { inner, raw: BytesMut::new(), offset: 0 }
    }

    /// Adds the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        // Lenient decoders accept everything.
        match &mut self.inner {
            Inner::Sse(decoder) => drop(decoder.feed(bytes)),
            Inner::Aws(decoder) => drop(decoder.feed(bytes)),
            Inner::Ndjson => {}
        }
    }

    /// Takes the next complete frame. After a wrong length or checksum it is unknown where the next message begins:
    /// everything from there on is one frame without a name.
    pub(crate) fn pop(&mut self) -> Option<RawFrame> {
        if let Some(frame) = self.pop_readable() {
            return Some(frame);
        }
        self.damage()?;
        let raw = self.raw.split().freeze();
        (!raw.is_empty()).then(|| RawFrame { frame: nameless(), raw })
    }

    /// The violation that makes the rest of the stream unreadable for every client, if there is one.
    pub(super) fn damage(&self) -> Option<&eventstream::EventStreamViolation> {
        match &self.inner {
            Inner::Aws(decoder) => decoder.violations().iter().find(|violation| violation.kind.is_fatal()),
            Inner::Sse(_) | Inner::Ndjson => None,
        }
    }

    /// Takes the next frame that can be read.
    pub(super) fn pop_readable(&mut self) -> Option<RawFrame> {
        match &mut self.inner {
            Inner::Sse(decoder) => {
                let event = decoder.pop()?;
                let mut length = (event.span.end.saturating_sub(self.offset) as usize).min(self.raw.len());
                // By its span, the LF after a final CR belongs to the next event. If it has already
                // arrived, it is sent with this event: some clients look only for `\r\n\r\n`.
                if self.raw[..length].ends_with(b"\r") && self.raw.get(length) == Some(&b'\n') {
                    length += 1;
                }
                self.offset += length as u64;
                let frame = Frame { event: event.event, data: event.data };
                Some(RawFrame { frame, raw: self.raw.split_to(length).freeze() })
            }
            Inner::Ndjson => {
                // Blank lines belong to the frame of the line after them.
                let start = self.raw.iter().position(|byte| !byte.is_ascii_whitespace())?;
                let end = start + self.raw[start..].iter().position(|byte| *byte == b'\n')?;
                Some(self.line(end + 1))
            }
            Inner::Aws(decoder) => {
                let message = decoder.pop()?;
                let length = (message.span.end.saturating_sub(message.span.start)) as usize;
                let raw = self.raw.split_to(length.min(self.raw.len())).freeze();
                Some(RawFrame { frame: Frame::from(message), raw })
            }
        }
    }

    /// Takes the last frame after the stream has ended, if nothing but the line end is missing.
    pub(crate) fn last(&mut self) -> Option<RawFrame> {
        let is_line =
            matches!(self.inner, Inner::Ndjson) && self.raw.iter().any(|b| !b.is_ascii_whitespace());
        is_line.then(|| self.line(self.raw.len()))
    }

    /// The number of bytes that have been added but not returned yet.
    pub(crate) fn waiting(&self) -> usize {
        self.raw.len()
    }

    /// Takes the remaining bytes, which do not form a frame; empty if they are all whitespace.
    pub(crate) fn rest(&mut self) -> Bytes {
        let rest = self.raw.split().freeze();
        if rest.iter().all(u8::is_ascii_whitespace) { Bytes::new() } else { rest }
    }

    fn line(&mut self, length: usize) -> RawFrame {
        let raw = self.raw.split_to(length).freeze();
        let data = String::from_utf8_lossy(&raw).trim().to_owned();
        RawFrame { frame: Frame { event: None, data }, raw }
    }
}

/// A message that cannot be read.
fn nameless() -> Frame {
    Frame { event: None, data: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(carrier: Carrier, bytes: &[u8], step: usize) -> (Vec<Bytes>, Bytes) {
        let mut splitter = Splitter::new(carrier);
        let mut frames = Vec::new();
        for piece in bytes.chunks(step) {
            splitter.feed(piece);
            frames.extend(std::iter::from_fn(|| splitter.pop()).map(|frame| frame.raw));
        }
        (frames, splitter.rest())
    }

    fn message(payload: &[u8]) -> Vec<u8> {
        eventstream::encode(&[(":event-type", "a")], payload).unwrap().to_vec()
    }

    #[test]
    fn aws_messages_are_split_by_their_lengths_however_they_arrive() {
        let bytes = [message(b"{}"), message(b"\n\0two"), message(b"")].concat();
        for step in [1, 7, 1000] {
            let (frames, rest) = cut(Carrier::Aws, &bytes, step);
            assert_eq!((frames.len(), frames.concat(), rest.len()), (3, bytes.clone(), 0));
        }
        let (frames, rest) = cut(Carrier::Aws, &bytes[..bytes.len() - 1], 1000);
        assert_eq!((frames.len(), rest.len()), (2, message(b"").len() - 1));
    }

    #[test]
    fn a_message_with_a_wrong_checksum_has_no_name() {
        for at in [9, 13] {
            let mut bytes = message(b"{}");
            bytes[at] ^= 1;
            let mut splitter = Splitter::new(Carrier::Aws);
            splitter.feed(&bytes);
            assert_eq!(splitter.pop().map(|frame| frame.frame), Some(nameless()));
        }
    }

    #[test]
    fn a_last_line_without_a_line_end_is_a_frame_and_blank_lines_are_not() {
        let mut splitter = Splitter::new(Carrier::Ndjson);
        splitter.feed(b"\n{\"a\":1}\r\n\n{\"b\":2}");
        assert_eq!(splitter.pop().map(|frame| frame.raw), Some(Bytes::from_static(b"\n{\"a\":1}\r\n")));
        assert!(splitter.pop().is_none());
        assert_eq!(splitter.last().map(|frame| frame.frame.data), Some("{\"b\":2}".into()));
        assert!(splitter.last().is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_byte_is_lost_whatever_comes(bytes in proptest::collection::vec(0u8..=255, 0..80), step in 1usize..20) {
            for carrier in [Carrier::Ndjson, Carrier::Aws] {
                let mut splitter = Splitter::new(carrier);
                let mut out = Vec::new();
                for piece in bytes.chunks(step) {
                    splitter.feed(piece);
                    out.extend(std::iter::from_fn(|| splitter.pop()).flat_map(|frame| frame.raw));
                }
                out.extend_from_slice(&splitter.raw);
                proptest::prop_assert_eq!(&out, &bytes);
            }
        }
    }
}
