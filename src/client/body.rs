//! Records the body of a response as it arrives.

use crate::{
    observation::{ReceivedFrame, ResponseBody},
    wire::frames::{Carrier, FrameDecoder},
};

/// The maximum number of bytes of a body that are kept as text.
const KEPT: usize = 1024 * 1024;

/// Records a body piece by piece.
#[derive(Debug)]
pub(super) struct BodyRecorder {
    kept: Vec<u8>,
    bytes: u64,
    utf8: Utf8Check,
    /// The decoder, for streams of frames only.
    decoder: Option<FrameDecoder>,
    frames: Vec<ReceivedFrame>,
}

impl BodyRecorder {
    pub(super) fn new(carrier: Option<Carrier>) -> Self {
        Self {
            kept: Vec::new(),
            bytes: 0,
            utf8: Utf8Check::default(),
            decoder: carrier.map(FrameDecoder::new),
            frames: Vec::new(),
        }
    }

    /// The number of bytes so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Records bytes that arrived at `at_ms`; the frames that they complete get that time.
    pub(super) fn take(&mut self, bytes: &[u8], at_ms: f64) {
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
            damage: self.decoder.and_then(|decoder| decoder.damage()),
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
        let mut recorder = BodyRecorder::new(None);
        let text = "€".repeat(KEPT / 2);
        recorder.take(text.as_bytes(), 0.0);
        let body = recorder.finish();
        assert_eq!(body.bytes, text.len() as u64);
        assert_eq!(body.text.len(), KEPT - KEPT % 3);
        assert!(body.utf8 && !body.text.contains('\u{fffd}'));
    }

    #[test]
    fn frames_have_the_time_of_the_byte_that_completed_them() {
        let mut recorder = BodyRecorder::new(Some(Carrier::Sse));
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
    fn a_character_cut_off_by_the_end_is_not_utf8() {
        let mut recorder = BodyRecorder::new(None);
        recorder.take(b"a\xe2\x82", 0.0);
        let body = recorder.finish();
        assert_eq!((body.text.as_str(), body.utf8), ("a\u{fffd}", false));
    }
}
