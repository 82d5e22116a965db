//! Records the body of a response as it arrives.

use crate::{
    observation::{CodedBody, ReceivedFrame, ResponseBody},
    wire::{
        content_coding::ContentDecoder,
        frames::{Carrier, FrameDecoder},
    },
};

/// The maximum number of bytes of a body that are kept as text.
const KEPT: usize = 1024 * 1024;

/// Records a body piece by piece, and decodes it as a client does that trusts `Content-Encoding`.
#[derive(Debug)]
pub(super) struct BodyRecorder {
    /// The decoder of the content coding, if the body has one.
    coding: Option<ContentDecoder>,
    /// The bytes as received, for a body with a coding.
    received: Vec<u8>,
    /// The number of bytes as received.
    received_bytes: u64,
    kept: Vec<u8>,
    bytes: u64,
    utf8: Utf8Check,
    /// The decoder, for streams of frames only.
    decoder: Option<FrameDecoder>,
    frames: Vec<ReceivedFrame>,
}

impl BodyRecorder {
    pub(super) fn new(carrier: Option<Carrier>, content_encoding: Option<&str>) -> Self {
        Self {
            coding: ContentDecoder::of(content_encoding),
            received: Vec::new(),
            received_bytes: 0,
            kept: Vec::new(),
            bytes: 0,
            utf8: Utf8Check::default(),
            decoder: carrier.map(FrameDecoder::new),
            frames: Vec::new(),
        }
    }

    /// The number of bytes so far, decoded or not.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.max(self.received_bytes)
    }

    /// Records bytes that arrived at `at_ms`; the frames that they complete get that time.
    pub(super) fn take(&mut self, bytes: &[u8], at_ms: f64) {
        self.received_bytes += bytes.len() as u64;
        match &mut self.coding {
            Some(coding) => {
                let room = KEPT - self.received.len();
                self.received.extend_from_slice(&bytes[..bytes.len().min(room)]);
                let decoded = coding.feed(bytes);
                self.take_decoded(&decoded, at_ms);
            }
            None => self.take_decoded(bytes, at_ms),
        }
    }

    fn take_decoded(&mut self, bytes: &[u8], at_ms: f64) {
        self.bytes += bytes.len() as u64;
        self.utf8.take(bytes);
        let room = KEPT - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if let Some(decoder) = &mut self.decoder {
            decoder.feed(bytes);
            while let Some(frame) = decoder.pop() {
                self.frames.push(ReceivedFrame { at_ms, event: frame.event, data: frame.data });
            }
        }
    }

    /// The number of frames so far.
    pub(super) fn frames(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn finish(mut self) -> ResponseBody {
        let coded = CodedBody::of(self.received_bytes, self.coding.as_ref(), &self.kept);
        let error = coded.as_ref().and_then(|coded| coded.error.clone());
        if self.bytes == 0 && error.is_some() {
            self.utf8 = Utf8Check::default();
            self.utf8.take(&self.received);
            (self.kept, self.bytes) = (std::mem::take(&mut self.received), self.received_bytes);
        }
        if self.bytes > self.kept.len() as u64 && self.utf8.is_good_so_far() {
            // The limit may have split a character, which would look like invalid UTF-8.
            let whole = std::str::from_utf8(&self.kept).map_or_else(|error| error.valid_up_to(), str::len);
            self.kept.truncate(whole);
        }
        ResponseBody {
            text: String::from_utf8_lossy(&self.kept).into_owned(),
            bytes: self.bytes,
            utf8: self.utf8.is_whole(),
            frames: self.frames,
            damage: self.decoder.and_then(|decoder| error.or_else(|| decoder.damage())),
            coded,
        }
    }
}

/// Checks incrementally whether bytes are UTF-8, without storing them.
#[derive(Debug, Default)]
struct Utf8Check {
    /// The start of an incomplete character: at most three bytes.
    carry: Vec<u8>,
    bad: bool,
}

impl Utf8Check {
    fn take(&mut self, bytes: &[u8]) {
        if self.bad {
            return;
        }
        let mut rest = bytes;
        while !self.carry.is_empty() {
            let Some((first, others)) = rest.split_first() else { return };
            self.carry.push(*first);
            rest = others;
            match std::str::from_utf8(&self.carry) {
                Ok(_) => self.carry.clear(),
                Err(error) if error.error_len().is_some() => {
                    self.bad = true;
                    return;
                }
                Err(_) => {}
            }
        }
        if let Err(error) = std::str::from_utf8(rest) {
            match error.error_len() {
                Some(_) => self.bad = true,
                None => self.carry.extend_from_slice(&rest[error.valid_up_to()..]),
            }
        }
    }

    fn is_good_so_far(&self) -> bool {
        !self.bad
    }

    fn is_whole(&self) -> bool {
        !self.bad && self.carry.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::content_coding::{ContentCoding, ContentEncoder};

    proptest! {
        #[test]
        fn the_incremental_utf8_check_agrees_with_the_standard_library(
            bytes in prop_oneof![any::<String>().prop_map(String::into_bytes), proptest::collection::vec(any::<u8>(), 0..12)],
            size in 1..5usize,
        ) {
            let mut check = Utf8Check::default();
            bytes.chunks(size).for_each(|piece| check.take(piece));
            prop_assert_eq!(check.is_whole(), std::str::from_utf8(&bytes).is_ok());
        }
    }

    #[test]
    fn a_long_body_is_counted_completely_and_kept_up_to_the_limit() {
        let mut recorder = BodyRecorder::new(None, None);
        let text = "€".repeat(KEPT / 2);
        recorder.take(text.as_bytes(), 0.0);
        let body = recorder.finish();
        assert_eq!(body.bytes, text.len() as u64);
        assert_eq!(body.text.len(), KEPT - KEPT % 3);
        assert!(body.utf8 && !body.text.contains('\u{fffd}'));
    }

    #[test]
    fn frames_have_the_time_of_the_byte_that_completed_them() {
        let mut recorder = BodyRecorder::new(Some(Carrier::Sse), None);
        recorder.take(b"data: a\n\nevent: error\nda", 1.0);
        recorder.take(b"ta: b\n\ndata: never", 2.5);
        assert_eq!(
            recorder.finish().frames,
            [
                ReceivedFrame { at_ms: 1.0, event: None, data: "a".into() },
                ReceivedFrame { at_ms: 2.5, event: Some("error".into()), data: "b".into() },
            ]
        );
    }

    #[test]
    fn a_body_is_decoded_and_one_that_cannot_be_decoded_is_kept_as_received() {
        let mut encoder = ContentEncoder::new(ContentCoding::Gzip);
        let coded = [encoder.part(b"data: a\n\n", false), encoder.part(b"data: b\n\n", true)];
        let mut recorder = BodyRecorder::new(Some(Carrier::Sse), Some("gzip"));
        for (piece, at_ms) in coded.iter().zip([1.0, 2.0]) {
            recorder.take(piece, at_ms);
        }
        let body = recorder.finish();
        assert_eq!(
            (body.text.as_str(), body.bytes, body.damage.as_deref()),
            ("data: a\n\ndata: b\n\n", 18, None)
        );
        assert_eq!(body.frames.iter().map(|frame| frame.at_ms).collect::<Vec<_>>(), [1.0, 2.0]);
        assert_eq!(body.coded.map(|coded| coded.bytes), Some(coded.concat().len() as u64));

        let mut recorder = BodyRecorder::new(None, Some("gzip"));
        recorder.take(b"{}", 0.0);
        let body = recorder.finish();
        assert_eq!((body.text.as_str(), body.bytes, body.utf8), ("{}", 2, true));
        assert!(body.undecodable().is_some_and(|error| error.contains("gzip")), "{body:?}");

        let mut recorder = BodyRecorder::new(None, None);
        recorder.take(&coded.concat(), 0.0);
        assert_eq!(recorder.finish().coded.and_then(|coded| coded.undeclared).as_deref(), Some("gzip"));
    }

    #[test]
    fn a_character_cut_off_by_the_end_is_not_utf8() {
        let mut recorder = BodyRecorder::new(None, None);
        recorder.take(b"a\xe2\x82", 0.0);
        let body = recorder.finish();
        assert_eq!((body.text.as_str(), body.utf8), ("a\u{fffd}", false));
    }
}
