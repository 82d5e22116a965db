//! Decodes a streamed body into frames, for every stream format.

use super::websocket;
pub(crate) use super::{
    frame::{Carrier, Frame},
    split::{RawFrame, Splitter},
};

/// An incremental, lenient decoder of frames.
///
/// Like AWS's own SDKs, it stops at the first message of an AWS event stream with a wrong length or checksum: that
/// message and everything after it give no frames.
#[derive(Debug)]
pub(crate) struct FrameDecoder(Inner);

#[derive(Debug)]
enum Inner {
    Body(Splitter),
    WebSocket(websocket::WebSocketDecoder),
}

impl FrameDecoder {
    /// Creates a decoder for one body.
    pub(crate) fn new(carrier: Carrier) -> Self {
        Self(match carrier {
            Carrier::Sse | Carrier::Ndjson | Carrier::Aws => Inner::Body(Splitter::new(carrier)),
            Carrier::WebSocket => Inner::WebSocket(websocket::WebSocketDecoder::default()),
        })
    }

    /// Decodes the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Body(splitter) => splitter.feed(bytes),
            Inner::WebSocket(decoder) => decoder.feed(bytes),
        }
    }

    /// Returns the next frame, if one is complete.
    pub(crate) fn pop(&mut self) -> Option<Frame> {
        match &mut self.0 {
            Inner::Body(splitter) => splitter.pop_readable().map(|raw| raw.frame),
            // Only messages are events; pings and close frames are not.
            Inner::WebSocket(decoder) => loop {
                match decoder.pop()? {
                    websocket::WebSocketEvent::Text(data) => return Some(Frame { event: None, data }),
                    websocket::WebSocketEvent::Binary(bytes) => {
                        let data = format!("<{} bytes>", bytes.len());
                        return Some(Frame { event: Some("binary".to_owned()), data });
                    }
                    _ => {}
                }
            },
        }
    }

    /// The violation that makes the rest of the stream unreadable for every client, if there is one.
    pub(crate) fn damage(&self) -> Option<String> {
        match &self.0 {
            Inner::Body(splitter) => splitter.damage().map(ToString::to_string),
            Inner::WebSocket(decoder) => decoder.broken().map(ToString::to_string),
        }
    }
}

/// Returns all complete frames of a body.
pub(crate) fn decode(carrier: Carrier, bytes: &[u8]) -> Vec<Frame> {
    let mut decoder = FrameDecoder::new(carrier);
    decoder.feed(bytes);
    std::iter::from_fn(|| decoder.pop()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::eventstream;

    fn frame(headers: &[(&str, &str)], payload: &str) -> bytes::Bytes {
        eventstream::encode(headers, payload.as_bytes()).unwrap()
    }

    #[test]
    fn an_aws_message_is_named_by_its_type() {
        let stream = [
            frame(&[(":event-type", "chunk"), (":message-type", "event")], r#"{"bytes":"e30=","p":"ab"}"#),
            frame(&[(":exception-type", "throttlingException"), (":message-type", "exception")], "{}"),
            frame(
                &[(":error-code", "InternalFailure"), (":error-message", "no"), (":message-type", "error")],
                "",
            ),
            frame(&[], "bare"),
        ]
        .concat();
        let carrier = Carrier::of("application/vnd.amazon.eventstream").unwrap();
        let frames: Vec<_> =
            decode(carrier, &stream).into_iter().map(|frame| (frame.event, frame.data)).collect();
        let named = |event: &str, data: &str| (Some(event.to_owned()), data.to_owned());
        assert_eq!(
            frames,
            [
                named("chunk", r#"{"bytes":"e30=","p":"ab"}"#),
                named("exception:throttlingException", "{}"),
                named("error:InternalFailure", r#"{"message":"no"}"#),
                (None, "bare".to_owned()),
            ]
        );
    }

    #[test]
    fn an_aws_stream_ends_at_a_damaged_message() {
        let good = frame(&[(":event-type", "a")], "");
        let mut bad = good.to_vec();
        bad[14] ^= 1;
        let mut decoder = FrameDecoder::new(Carrier::Aws);
        decoder.feed(&good);
        assert_eq!(decoder.damage(), None);
        decoder.feed(&[&bad[..], &good].concat());
        assert_eq!(std::iter::from_fn(|| decoder.pop()).count(), 1);
        assert_eq!(decoder.damage().as_deref(), Some("a wrong message checksum at byte 32"));
    }
}
