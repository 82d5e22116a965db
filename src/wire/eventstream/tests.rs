//! Encoding and decoding of messages, and all violations.

use proptest::prelude::*;

use super::*;

/// A message that boto3 decodes as `messageStart` with `{"role":"assistant"}`.
const GOLDEN: &str = "000000760000005296d5fade0b3a6576656e742d7479706507000c6d65737361676553746172740d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d747970650700056576656e747b22726f6c65223a22617373697374616e74227d6fa8c599";

const GOLDEN_HEADERS: [(&str, &str); 3] =
    [(":event-type", "messageStart"), (":content-type", "application/json"), (":message-type", "event")];

fn golden() -> Vec<u8> {
    (0..GOLDEN.len()).step_by(2).map(|at| u8::from_str_radix(&GOLDEN[at..at + 2], 16).unwrap()).collect()
}

/// A message with this block of headers, with correct lengths and checksums.
fn around(block: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = (OVERHEAD + block.len() + payload.len()) as u32;
    let mut message = prelude(total, block.len() as u32);
    message.extend_from_slice(block);
    message.extend_from_slice(payload);
    message.extend_from_slice(&crc32fast::hash(&message).to_be_bytes());
    message
}

fn prelude(total: u32, headers: u32) -> Vec<u8> {
    let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    prelude.extend_from_slice(&crc32fast::hash(&prelude).to_be_bytes());
    prelude
}

/// The result of a lenient decoder; checks that a strict one refuses the stream exactly if it has violations.
fn read(bytes: &[u8]) -> (Vec<EventStreamMessage>, Vec<EventStreamViolationKind>) {
    let mut decoder = EventStreamDecoder::lenient();
    decoder.feed(bytes).unwrap();
    let messages: Vec<_> = std::iter::from_fn(|| decoder.pop()).collect();
    let violations = decoder.finish().unwrap();

    let mut strict = EventStreamDecoder::strict();
    let refused = strict.feed(bytes).and_then(|()| strict.finish().map(drop));
    assert_eq!(refused.err(), violations.first().cloned());
    (messages, violations.into_iter().map(|violation| violation.kind).collect())
}

#[test]
fn the_golden_message_decodes_and_encodes_identically() {
    assert_eq!(encode(&GOLDEN_HEADERS, br#"{"role":"assistant"}"#).unwrap(), golden());
    let (messages, wrong) = read(&golden());
    assert!(wrong.is_empty());
    let [message] = &messages[..] else { panic!("{messages:?}") };
    for (name, value) in GOLDEN_HEADERS {
        assert_eq!(message.text(name), Some(value));
    }
    assert_eq!(message.payload, br#"{"role":"assistant"}"#);
    assert_eq!(message.span, 0..0x76);
}

#[test]
fn values_of_all_ten_types_are_read() {
    let block: Vec<u8> = [
        &b"\x01a\x00"[..],
        b"\x01b\x01",
        b"\x01c\x02\xff",
        b"\x01d\x03\xff\xfe",
        b"\x01e\x04\x00\x01\x00\x00",
        b"\x01f\x05\xff\xff\xff\xff\xff\xff\xff\xfd",
        b"\x01g\x06\x00\x02\x00\xff",
        "\x01h\x07\x00\x02é".as_bytes(),
        b"\x01i\x08\x00\x00\x01\x8b\xcf\xe5\x68\x00",
        b"\x01j\x090123456789abcdef",
    ]
    .concat();
    let (messages, wrong) = read(&around(&block, b""));
    assert!(wrong.is_empty(), "{wrong:?}");
    let values: Vec<_> = messages[0].headers.iter().map(|header| header.value.clone()).collect();
    assert_eq!(
        values,
        [
            HeaderValue::Bool(true),
            HeaderValue::Bool(false),
            HeaderValue::Byte(-1),
            HeaderValue::Short(-2),
            HeaderValue::Integer(65_536),
            HeaderValue::Long(-3),
            HeaderValue::Bytes(vec![0, 255]),
            HeaderValue::String("é".into()),
            HeaderValue::Timestamp(1_700_000_000_000),
            HeaderValue::Uuid(*b"0123456789abcdef"),
        ]
    );
    assert_eq!(messages[0].text("a"), None);
}

#[test]
fn invalid_headers_keep_the_message_and_the_headers_before_them() {
    for (block, kind, kept) in [
        (&b"\x01a\x00\x01b"[..], EventStreamViolationKind::HeaderCut, 1),
        (b"\x01a\x00\x05b", EventStreamViolationKind::HeaderCut, 1),
        (b"\x01a\x00\x01b\x04\x00", EventStreamViolationKind::HeaderCut, 1),
        (b"\x01a\x00\x01b\x07\x00\x05abc", EventStreamViolationKind::HeaderCut, 1),
        (b"\x01a\x00\x01b\x0a\x01c\x00", EventStreamViolationKind::UnknownHeaderType, 1),
        (b"\x01a\x00\x00\x01", EventStreamViolationKind::EmptyHeaderName, 2),
        (b"\x01a\x00\x01a\x01", EventStreamViolationKind::DuplicateHeader, 1),
        (b"\x01a\x07\x00\x01\xff", EventStreamViolationKind::InvalidUtf8, 1),
    ] {
        let stream = [around(block, b"x"), golden()].concat();
        let (messages, wrong) = read(&stream);
        assert_eq!(wrong, [kind], "{block:?}");
        assert_eq!((messages.len(), messages[0].headers.len()), (2, kept), "{block:?}");
        assert!(!kind.is_fatal());
    }
}

#[test]
fn wrong_lengths_and_checksums_end_the_stream() {
    let damaged = |at: usize| {
        let mut bytes = golden();
        bytes[at] ^= 1;
        bytes
    };
    let last = golden().len() - 1;
    for (second, kind) in [
        (damaged(0), EventStreamViolationKind::BadPreludeCrc),
        (damaged(11), EventStreamViolationKind::BadPreludeCrc),
        (damaged(20), EventStreamViolationKind::BadMessageCrc),
        (damaged(last), EventStreamViolationKind::BadMessageCrc),
        (prelude(15, 0), EventStreamViolationKind::LengthOutOfRange),
        (prelude(0, 0), EventStreamViolationKind::LengthOutOfRange),
        (prelude(u32::MAX, 0), EventStreamViolationKind::LengthOutOfRange),
        (prelude(MAX_MESSAGE as u32 + 1, 0), EventStreamViolationKind::LengthOutOfRange),
        (prelude(100, 85), EventStreamViolationKind::HeadersLengthOutOfRange),
        (prelude(100, u32::MAX), EventStreamViolationKind::HeadersLengthOutOfRange),
        (
            prelude(MAX_MESSAGE as u32, MAX_HEADERS as u32 + 1),
            EventStreamViolationKind::HeadersLengthOutOfRange,
        ),
        (prelude(MAX_MESSAGE as u32, 0), EventStreamViolationKind::Incomplete),
    ] {
        let (messages, wrong) = read(&[golden(), second.clone()].concat());
        assert_eq!((messages.len(), wrong), (1, vec![kind]), "{second:?}");
        assert!(kind.is_fatal());
        if kind != EventStreamViolationKind::Incomplete {
            let (messages, wrong) = read(&[golden(), second, golden()].concat());
            assert_eq!((messages.len(), wrong), (1, vec![kind]), "nothing after it is decoded");
        }
    }
}

#[test]
fn a_violation_says_where_its_message_begins() {
    let mut decoder = EventStreamDecoder::strict();
    let refused = decoder.feed(&[golden(), prelude(1, 0)].concat()).unwrap_err();
    assert_eq!(refused.to_string(), "an invalid message length at byte 118");
    assert!(decoder.pop().is_some());
    assert_eq!(decoder.feed(&golden()).unwrap_err(), refused);
}

#[test]
fn a_decoder_buffers_nothing_after_a_fatal_violation() {
    let mut decoder = EventStreamDecoder::lenient();
    for _ in 0..100 {
        decoder.feed(&[b'x'; 4096]).unwrap();
        assert!(decoder.rest.is_empty());
    }
    assert_eq!(decoder.violations().len(), 1);
}

#[test]
fn what_the_format_cannot_contain_is_not_encoded() {
    let long = "x".repeat(32_768);
    assert_eq!(encode(&[("", "v")], b""), Err(MessageTooLong::Name));
    assert_eq!(encode(&[(&long[..256], "v")], b""), Err(MessageTooLong::Name));
    assert_eq!(encode(&[("n", &long)], b""), Err(MessageTooLong::Value));
    assert_eq!(encode(&[("n", &long[1..]); 5], b""), Err(MessageTooLong::Headers));
    assert_eq!(encode(&[], &vec![0; MAX_MESSAGE - 15]), Err(MessageTooLong::Message));
    assert!(encode(&[], &vec![0; MAX_MESSAGE - 16]).is_ok());
}

/// Headers with distinct names, and a payload.
fn any_message() -> impl Strategy<Value = (Vec<(String, String)>, Vec<u8>)> {
    let headers = proptest::collection::btree_map("[:a-zé-]{1,20}", ".{0,30}", 0..5);
    (headers.prop_map(|map| map.into_iter().collect()), proptest::collection::vec(any::<u8>(), 0..200))
}

fn written(messages: &[(Vec<(String, String)>, Vec<u8>)]) -> Vec<Vec<u8>> {
    messages
        .iter()
        .map(|(headers, payload)| {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (&**name, &**value)).collect();
            encode(&headers, payload).unwrap().to_vec()
        })
        .collect()
}

proptest! {
    #[test]
    fn encoded_messages_decode_for_any_split(
        messages in proptest::collection::vec(any_message(), 0..4),
        step in 1usize..60,
    ) {
        let stream = written(&messages).concat();
        let mut decoder = EventStreamDecoder::strict();
        for piece in stream.chunks(step) {
            decoder.feed(piece).unwrap();
        }
        let mut end = 0;
        for (headers, payload) in &messages {
            let message = decoder.pop().unwrap();
            prop_assert_eq!(&message.payload, payload);
            prop_assert_eq!(message.headers.len(), headers.len());
            for (name, value) in headers {
                prop_assert_eq!(message.text(name), Some(&**value));
            }
            prop_assert_eq!(message.span.start, end);
            end = message.span.end;
        }
        prop_assert_eq!(end, stream.len() as u64);
        prop_assert!(decoder.pop().is_none() && decoder.finish().unwrap().is_empty());
    }

    #[test]
    fn a_cut_stream_has_the_messages_before_the_cut(
        messages in proptest::collection::vec(any_message(), 1..3),
    ) {
        let frames = written(&messages);
        let stream = frames.concat();
        let ends: Vec<_> = frames
            .iter()
            .scan(0, |end, frame| {
                *end += frame.len();
                Some(*end)
            })
            .collect();
        for cut in 0..=stream.len() {
            let (read, wrong) = read(&stream[..cut]);
            prop_assert_eq!(read.len(), ends.iter().filter(|end| **end <= cut).count());
            let whole = cut == 0 || ends.contains(&cut);
            prop_assert_eq!(wrong, if whole { vec![] } else { vec![EventStreamViolationKind::Incomplete] });
        }
    }

    #[test]
    fn one_damaged_byte_is_always_noticed(message in any_message(), at: prop::sample::Index, flip in 1u8..) {
        let mut bytes = written(&[message]).remove(0);
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let (messages, wrong) = read(&bytes);
        prop_assert!(messages.is_empty() && wrong.len() == 1);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let _ = read(&around(&bytes, b"{}"));
        let _ = read(&[prelude(bytes.len() as u32 + 12, 5), bytes].concat());
    }
}
