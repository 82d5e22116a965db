//! Server-sent events: decoder and encoder (WHATWG HTML, section 9.2, "Server-sent events").
//!
//! The decoder accounts for every byte: each event contains its byte range in the stream, so that a user of the
//! decoder who kept the bytes can forward them unchanged. The decoder records input that a browser would silently
//! ignore as a [`SseViolation`], because tests need to see it.

use std::{collections::VecDeque, fmt, ops::Range};

/// One dispatched event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// The `event:` field, if it is present and not empty.
    pub event: Option<String>,
    /// The `data:` lines, joined by line feeds.
    pub data: String,
    /// The last event id at this point of the stream; empty if none was set.
    pub id: String,
    /// The `retry:` field of this event, in milliseconds.
    pub retry: Option<u64>,
    /// The byte range, from the end of the previous event to the end of its blank line.
    ///
    /// If the blank line ends in CR LF, the range includes only the CR, because the LF may not have arrived yet.
    pub span: Range<u64>,
}

/// Input that the standard ignores or repairs silently.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {offset}")]
pub(crate) struct SseViolation {
    /// The kind of violation.
    pub kind: SseViolationKind,
    /// The offset in bytes from the start of the stream.
    pub offset: u64,
}

/// The kinds of violations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SseViolationKind {
    /// Bytes that are not UTF-8; they are replaced with U+FFFD.
    InvalidUtf8,
    /// A line that contains only a field name. The grammar allows it, but no provider sends it: it is nearly always
    /// text that was not meant as an event.
    FieldWithoutColon,
    /// A field that the standard does not define; it is ignored.
    UnknownField,
    /// An `id` that contains U+0000; it is ignored.
    NulInId,
    /// A `retry` that does not consist of digits, or is too large for 64 bits; it is ignored.
    BadRetry,
    /// Fields without data before a blank line; they give no event.
    EventWithoutData,
    /// The stream ended inside a line.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the tests end a stream"))]
    IncompleteLine,
    /// The stream ended before the blank line that completes an event; the event is dropped.
    #[cfg_attr(not(test), expect(dead_code, reason = "only the tests end a stream"))]
    IncompleteEvent,
}

impl fmt::Display for SseViolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::FieldWithoutColon => "a line without a colon",
            Self::UnknownField => "an unknown field",
            Self::NulInId => "an id with a NUL",
            Self::BadRetry => "a retry that is not a number",
            Self::EventWithoutData => "an event without data",
            Self::IncompleteLine => "the stream ends inside a line",
            Self::IncompleteEvent => "the stream ends inside an event",
        })
    }
}

/// The maximum number of violations that a decoder keeps: a stream that is not SSE has one in each line.
const MAX_VIOLATIONS: usize = 256;

/// An incremental decoder: [`feed`](Self::feed) bytes, [`pop`](Self::pop) events, then
/// [`finish`](Self::finish). The split of the bytes makes no difference.
#[derive(Debug, Default)]
pub(crate) struct SseDecoder {
    strict: bool,
    /// The number of bytes decoded so far.
    taken: u64,
    /// The incomplete line.
    line: Vec<u8>,
    /// Whether a CR ended the last line, so that an LF that follows belongs to it.
    after_cr: bool,
    /// Whether the first line, which can begin with a BOM, is complete.
    begun: bool,
    pending: Pending,
    last_id: String,
    event_start: u64,
    events: VecDeque<SseEvent>,
    violations: Vec<SseViolation>,
}

/// The buffers of the event that is being decoded.
#[derive(Debug, Default)]
struct Pending {
    event: String,
    data: Option<String>,
    retry: Option<u64>,
    /// The offset of its first field.
    start: Option<u64>,
}

impl SseDecoder {
    /// Creates a decoder that accepts any input and records violations.
    pub(crate) fn lenient() -> Self {
        Self::default()
    }

    /// Creates a decoder that returns the first violation as an error and then accepts no more bytes.
    #[cfg(test)]
    pub(crate) fn strict() -> Self {
        Self { strict: true, ..Self::default() }
    }

    /// Decodes bytes. [`pop`](Self::pop) returns the events that they complete.
    ///
    /// # Errors
    ///
    /// Strict decoders only: the first violation. [`pop`](Self::pop) still returns the events before it.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<(), SseViolation> {
        self.check()?;
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            if rest[0] == b'\n' {
                rest = &rest[1..];
                self.taken += 1;
            }
        }
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let start = self.taken - self.line.len() as u64;
            self.line.extend_from_slice(&rest[..at]);
            self.taken += at as u64 + 1;
            let is_cr = rest[at] == b'\r';
            rest = &rest[at + 1..];
            let mut line = std::mem::take(&mut self.line);
            self.line_ended(&line, start);
            line.clear();
            self.line = line;
            if is_cr {
                match rest.first() {
                    Some(b'\n') => {
                        rest = &rest[1..];
                        self.taken += 1;
                    }
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
            self.check()?;
        }
        self.line.extend_from_slice(rest);
        self.taken += rest.len() as u64;
        Ok(())
    }

    /// Returns the next event, if one is complete.
    pub(crate) fn pop(&mut self) -> Option<SseEvent> {
        self.events.pop_front()
    }

    /// Ends the stream, and returns all violations. An event without its blank line is dropped, as the standard
    /// requires, and reported here.
    ///
    /// # Errors
    ///
    /// Strict decoders only: the first violation.
    #[cfg(test)]
    pub(crate) fn finish(mut self) -> Result<Vec<SseViolation>, SseViolation> {
        self.check()?;
        let line_start = self.taken - self.line.len() as u64;
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.check_utf8(&line, line_start);
            self.violation(SseViolationKind::IncompleteLine, line_start);
        }
        if let Some(start) = self.pending.start {
            self.violation(SseViolationKind::IncompleteEvent, start);
        }
        self.check()?;
        Ok(self.violations)
    }

    fn check(&self) -> Result<(), SseViolation> {
        match self.violations.first() {
            Some(first) if self.strict => Err(first.clone()),
            _ => Ok(()),
        }
    }

    fn violation(&mut self, kind: SseViolationKind, offset: u64) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(SseViolation { kind, offset });
        }
    }

    fn check_utf8(&mut self, line: &[u8], start: u64) {
        if let Err(error) = std::str::from_utf8(line) {
            self.violation(SseViolationKind::InvalidUtf8, start + error.valid_up_to() as u64);
        }
    }

    /// Interprets one line without its line end. `self.taken` is the offset after its CR or LF.
    fn line_ended(&mut self, mut line: &[u8], mut start: u64) {
        if !self.begun {
            self.begun = true;
            if let Some(rest) = line.strip_prefix(b"\xEF\xBB\xBF") {
                line = rest;
                start += 3;
            }
        }
        if line.is_empty() {
            self.dispatch();
            return;
        }
        // A character never spans a line end, so each line can be decoded separately.
        self.check_utf8(line, start);
        let text = String::from_utf8_lossy(line);
        if text.starts_with(':') {
            return;
        }
        self.pending.start.get_or_insert(start);
        let (field, value) = match text.split_once(':') {
            Some((field, value)) => (field, value.strip_prefix(' ').unwrap_or(value)),
            None => {
                self.violation(SseViolationKind::FieldWithoutColon, start);
                (text.as_ref(), "")
            }
        };
        match field {
            "event" => value.clone_into(&mut self.pending.event),
            "data" => match &mut self.pending.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.pending.data = Some(value.to_owned()),
            },
            "id" if value.contains('\0') => self.violation(SseViolationKind::NulInId, start),
            "id" => value.clone_into(&mut self.last_id),
            "retry" => {
                let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                match value.parse() {
                    Ok(retry) if digits => self.pending.retry = Some(retry),
                    _ => self.violation(SseViolationKind::BadRetry, start),
                }
            }
            // A line without a colon has been reported already.
            _ if text.contains(':') => self.violation(SseViolationKind::UnknownField, start),
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let Some(data) = pending.data else {
            if let Some(start) = pending.start {
                self.violation(SseViolationKind::EventWithoutData, start);
            }
            return;
        };
        let span = self.event_start..self.taken;
        self.event_start = self.taken;
        self.events.push_back(SseEvent {
            event: Some(pending.event).filter(|name| !name.is_empty()),
            data,
            id: self.last_id.clone(),
            retry: pending.retry,
            span,
        });
    }
}

/// Returns all complete events of a stream; ignores violations.
pub(crate) fn decode(bytes: &[u8]) -> Vec<SseEvent> {
    let mut decoder = SseDecoder::lenient();
    // The lenient decoder records violations instead of failing.
    let _ = decoder.feed(bytes);
    std::iter::from_fn(|| decoder.pop()).collect()
}

/// Encodes one event with its blank line.
///
/// A line end in `data` starts a new `data:` line (and so decodes as LF). `event` is cut off at its first line end,
/// since a field cannot contain one.
pub(crate) fn encode(event: Option<&str>, data: &str) -> String {
    let mut text = String::with_capacity(data.len() + 16);
    if let Some(name) = event.and_then(|name| name.split(['\r', '\n']).next()).filter(|name| !name.is_empty())
    {
        text.push_str("event: ");
        text.push_str(name);
        text.push('\n');
    }
    let mut rest = data;
    loop {
        text.push_str("data: ");
        match rest.find(['\r', '\n']) {
            Some(at) => {
                text.push_str(&rest[..at]);
                text.push('\n');
                let end = if rest[at..].starts_with("\r\n") { 2 } else { 1 };
                rest = &rest[at + end..];
            }
            None => {
                text.push_str(rest);
                text.push_str("\n\n");
                return text;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use proptest::prelude::*;

    use super::*;

    fn decode_in(pieces: &[&[u8]]) -> (Vec<SseEvent>, Vec<SseViolation>) {
        let mut decoder = SseDecoder::lenient();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.feed(piece).expect("a lenient decoder never fails");
            events.extend(std::iter::from_fn(|| decoder.pop()));
        }
        (events, decoder.finish().expect("a lenient decoder never fails"))
    }

    fn decode(bytes: &[u8]) -> (Vec<SseEvent>, Vec<SseViolation>) {
        decode_in(&[bytes])
    }

    fn data(bytes: &[u8]) -> Vec<String> {
        decode(bytes).0.into_iter().map(|event| event.data).collect()
    }

    fn kinds(bytes: &[u8]) -> Vec<(SseViolationKind, u64)> {
        decode(bytes).1.into_iter().map(|violation| (violation.kind, violation.offset)).collect()
    }

    #[test]
    fn the_three_line_ends_mean_the_same() {
        for text in ["data: a\ndata: b\n\n", "data: a\rdata: b\r\r", "data: a\r\ndata: b\r\n\r\n"] {
            assert_eq!(data(text.as_bytes()), ["a\nb"], "{text:?}");
        }
    }

    #[test]
    fn the_examples_of_the_standard_decode_as_it_says() {
        assert_eq!(data(b"data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        assert_eq!(data(b"data\n\ndata\ndata\n\ndata:\n"), ["", "\n"]);
        assert_eq!(data(b"data:test\n\ndata: test\n\ndata:  x\n\n"), ["test", "test", " x"]);
        let (events, _) = decode(b": test stream\n\ndata: first\nid: 1\n\ndata:second\nid\n\n");
        assert_eq!(
            events.iter().map(|e| (e.data.as_str(), e.id.as_str())).collect::<Vec<_>>(),
            [("first", "1"), ("second", "")]
        );
    }

    #[test]
    fn event_id_and_retry_are_read_and_only_the_id_lasts() {
        let (events, violations) = decode(b"event: error\nid: 7\nretry: 250\ndata: x\n\ndata: y\n\n");
        assert_eq!(
            events,
            [
                SseEvent {
                    event: Some("error".into()),
                    data: "x".into(),
                    id: "7".into(),
                    retry: Some(250),
                    span: 0..39
                },
                SseEvent { event: None, data: "y".into(), id: "7".into(), retry: None, span: 39..48 },
            ]
        );
        assert_eq!(violations, []);
    }

    #[test]
    fn one_byte_order_mark_at_the_start_is_dropped_and_no_other() {
        assert_eq!(data("\u{feff}data: a\n\n".as_bytes()), ["a"]);
        let (events, violations) = decode("\u{feff}\u{feff}data: a\n\n".as_bytes());
        assert_eq!(events, []);
        assert_eq!(violations.len(), 2, "an unknown field, and so an event without data: {violations:?}");
    }

    #[test]
    fn what_a_browser_would_ignore_is_reported_with_its_offset() {
        use SseViolationKind::*;
        assert_eq!(kinds(b"data: a\xff\n\n"), [(InvalidUtf8, 7)]);
        assert_eq!(kinds(b": c\n<html>\n\n"), [(FieldWithoutColon, 4), (EventWithoutData, 4)]);
        assert_eq!(kinds(b"{\"error\": 1}\n"), [(UnknownField, 0), (IncompleteEvent, 0)]);
        assert_eq!(kinds(b"data: a\nid: a\0b\n\n"), [(NulInId, 8)]);
        assert_eq!(kinds(b"retry: 1s\ndata: a\n\n"), [(BadRetry, 0)]);
        assert_eq!(kinds(b"event: ping\n\n"), [(EventWithoutData, 0)]);
    }

    #[test]
    fn an_event_without_its_blank_line_is_dropped() {
        use SseViolationKind::*;
        assert_eq!(data(b"data: a\n\ndata: b\n"), ["a"]);
        assert_eq!(kinds(b"data: a\n\ndata: b\n"), [(IncompleteEvent, 9)]);
        assert_eq!(kinds(b"data: a\n\ndata: {\"cho"), [(IncompleteLine, 9)]);
        assert_eq!(kinds(b"data: a\n\ndata: \xc3"), [(InvalidUtf8, 15), (IncompleteLine, 9)]);
    }

    #[test]
    fn a_strict_decoder_stops_at_the_first_violation_and_keeps_what_came_before() {
        let mut decoder = SseDecoder::strict();
        let violation = SseViolation { kind: SseViolationKind::UnknownField, offset: 9 };
        assert_eq!(decoder.feed(b"data: a\n\nfoo: 1\ndata: b\n\n"), Err(violation.clone()));
        assert_eq!(decoder.pop().map(|event| event.data), Some("a".to_owned()));
        assert_eq!(decoder.pop(), None);
        assert_eq!(decoder.feed(b"data: c\n\n"), Err(violation.clone()));
        assert_eq!(decoder.finish(), Err(violation));
    }

    #[test]
    fn the_number_of_kept_violations_is_bounded() {
        assert_eq!(decode("junk\n".repeat(10_000).as_bytes()).1.len(), MAX_VIOLATIONS);
    }

    #[test]
    fn an_encoded_event_is_what_providers_send() {
        assert_eq!(encode(None, "[DONE]"), "data: [DONE]\n\n");
        assert_eq!(
            encode(Some("error"), "a\r\nb\rc\nd"),
            "event: error\ndata: a\ndata: b\ndata: c\ndata: d\n\n"
        );
        assert_eq!(encode(Some("a\ndata: forged"), ""), "event: a\ndata: \n\n");
    }

    /// Text that resembles SSE enough to reach every branch.
    fn sse_like() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"data: ".to_vec()),
            Just(b"data".to_vec()),
            Just(b"event: e".to_vec()),
            Just(b"id: 1".to_vec()),
            Just(b"retry: 10".to_vec()),
            Just(b":".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\n\n".to_vec()),
            Just("\u{feff}".as_bytes().to_vec()),
            Just("ü€😀".as_bytes().to_vec()),
            Just(vec![0xf0, 0x9f]),
            proptest::collection::vec(any::<u8>(), 0..4),
        ];
        proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn the_split_of_the_bytes_makes_no_difference(
            bytes in sse_like(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let whole = decode(&bytes);
            prop_assert_eq!(&decode_in(&pieces), &whole);
            let single: Vec<_> = bytes.chunks(1).collect();
            prop_assert_eq!(&decode_in(&single), &whole);
        }

        #[test]
        fn no_bytes_make_it_panic_and_spans_never_overlap(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut end = 0;
            for event in decode(&bytes).0 {
                prop_assert_eq!(event.span.start, end);
                prop_assert!(event.span.end > end && event.span.end <= bytes.len() as u64);
                end = event.span.end;
            }
        }

        #[test]
        fn what_is_encoded_decodes_to_itself(
            name in proptest::option::of("[a-z._]{1,8}"),
            lines in proptest::collection::vec("[^\r\n]{0,12}", 1..4),
        ) {
            let data = lines.join("\n");
            let wire = encode(name.as_deref(), &data);
            let (events, violations) = decode(wire.as_bytes());
            prop_assert_eq!(violations, vec![]);
            prop_assert_eq!(events, vec![SseEvent {
                event: name, data, id: String::new(), retry: None, span: 0..wire.len() as u64,
            }]);
        }

        #[test]
        fn another_decoder_agrees_on_valid_streams(
            parts in proptest::collection::vec(
                (proptest::option::of("[a-z]{1,6}"), proptest::option::of("[a-z0-9]{0,4}"),
                 proptest::collection::vec("[^\r\n\0\u{feff}]{0,10}", 1..3), 0..3usize, any::<bool>()),
                0..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut wire = String::new();
            for (name, id, lines, end, comment) in &parts {
                let end = ["\n", "\r\n", "\r"][*end];
                let mut line = |text: String| { wire.push_str(&text); wire.push_str(end); };
                if *comment { line(": note".into()); }
                if let Some(name) = name { line(format!("event: {name}")); }
                if let Some(id) = id { line(format!("id:{id}")); }
                for text in lines { line(format!("data: {text}")); }
                line(String::new());
            }
            // The other decoder waits for the LF that can follow a CR at the end of the stream.
            wire.push_str(": end\n");
            let (left, right) = wire.as_bytes().split_at(cut.index(wire.len() + 1));
            let chunks = [left, right].map(|piece| Ok::<_, std::io::Error>(piece.to_vec()));
            let stream = eventsource_stream::EventStream::new(futures_util::stream::iter(chunks));
            let theirs: Vec<_> = block_on(stream.collect::<Vec<_>>())
                .into_iter()
                .map(|event| event.expect("valid UTF-8"))
                .map(|event| (event.event, event.data, event.id))
                .collect();
            let (events, violations) = decode_in(&[left, right]);
            prop_assert_eq!(violations, vec![]);
            let ours: Vec<_> = events
                .into_iter()
                .map(|event| (event.event.unwrap_or_else(|| "message".into()), event.data, event.id))
                .collect();
            prop_assert_eq!(ours, theirs);
        }
    }

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
    }
}
