use proptest::prelude::*;

use super::*;

/// Decodes bytes in pieces of this size.
fn read(bytes: &[u8], piece: usize) -> (Vec<WebSocketEvent>, Option<Broken>) {
    let mut decoder = WebSocketDecoder::default();
    let mut events = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        decoder.feed(piece);
        events.extend(std::iter::from_fn(|| decoder.pop()));
    }
    (events, decoder.broken().cloned())
}

fn broken(bytes: &[u8]) -> String {
    let (events, broken) = read(bytes, bytes.len());
    assert_eq!(events, []);
    broken.expect("these bytes break the frames").to_string()
}

#[test]
fn encoded_frames_decode() {
    let mask = Some([1, 2, 3, 4]);
    let bytes = [
        text("é {}"),
        masked_text("x", [9, 8, 7, 6]),
        ping(b"p"),
        pong(b"p", mask),
        close(Some(4001), "over", mask),
        close(None, "without a code there is no reason", None),
    ]
    .concat();
    let (events, broken) = read(&bytes, 3);
    assert_eq!(
        events,
        [
            WebSocketEvent::Text("é {}".into()),
            WebSocketEvent::Text("x".into()),
            WebSocketEvent::Ping(Bytes::from_static(b"p")),
            WebSocketEvent::Pong,
            WebSocketEvent::Close(Some(4001), "over".into()),
            WebSocketEvent::Close(None, String::new()),
        ]
    );
    assert_eq!(broken, None);
}

#[test]
fn a_fragmented_message_is_one_message_and_can_contain_a_ping() {
    let bytes = [&[0x01, 1, b'a'][..], &ping(b""), &[0x80, 1, b'b'], &[0x82, 2, 0, 255]].concat();
    let (events, _) = read(&bytes, 1);
    assert_eq!(
        events,
        [
            WebSocketEvent::Ping(Bytes::new()),
            WebSocketEvent::Text("ab".into()),
            WebSocketEvent::Binary(Bytes::from_static(&[0, 255]))
        ]
    );
}

#[test]
fn a_reason_that_is_too_long_is_cut_at_a_character_boundary() {
    let frame = close(Some(1011), &"é".repeat(80), None);
    assert_eq!(frame.len(), 2 + 2 + 122);
    assert_eq!(read(&frame, 7).0, [WebSocketEvent::Close(Some(1011), "é".repeat(61))]);
}

#[test]
fn a_protocol_error_stops_the_decoder_with_a_reason() {
    insta::assert_snapshot!(broken(&[0xc1, 0]), @"a reserved bit without a negotiated extension");
    insta::assert_snapshot!(broken(&[0x09, 0]), @"a fragmented control frame");
    insta::assert_snapshot!(broken(&[0x80, 0]), @"a continuation frame without a message");
    insta::assert_snapshot!(broken(&[0x01, 0, 0x81, 0]), @"a new message before the previous one is complete");
    insta::assert_snapshot!(broken(&[0x88, 1, 3]), @"a close frame with half a status code");
    insta::assert_snapshot!(broken(&[0x88, 126, 0, 200]), @"a frame of 200 bytes, more than the maximum of 125");
    let mut decoder = WebSocketDecoder::default();
    decoder.feed(&[0x83, 0]);
    assert_eq!(decoder.pop(), None);
    assert!(decoder.broken().is_some());
    decoder.feed(&text("the start of this frame is unknown"));
    assert_eq!(decoder.pop(), None);
}

#[test]
fn the_accept_key_of_the_rfcs_example_is_correct() {
    assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

proptest! {
    #[test]
    fn messages_of_any_length_survive_any_cut_and_any_mask(
        texts in proptest::collection::vec("\\PC{0,200}", 0..6),
        long in 0..70_000usize,
        mask: [u8; 4],
        piece in 1..5000usize,
    ) {
        let mut texts = texts;
        texts.push("x".repeat(long));
        let bytes: Vec<u8> = texts.iter().flat_map(|text| masked_text(text, mask).to_vec()).collect();
        let (events, broken) = read(&bytes, piece);
        prop_assert_eq!(events, texts.into_iter().map(WebSocketEvent::Text).collect::<Vec<_>>());
        prop_assert_eq!(broken, None);
    }

    #[test]
    fn no_bytes_make_it_panic_and_pieces_change_nothing(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        piece in 1..20usize,
    ) {
        prop_assert_eq!(read(&bytes, piece), read(&bytes, 300));
    }
}
