//! Decodes a streamed body into frames, for every stream format.

use serde_json::json;

use super::{eventstream, sse, websocket};

/// The format of a streamed body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `text/event-stream`
    Sse,
    /// `application/x-ndjson`: one JSON value per line.
    Ndjson,
    /// `application/vnd.amazon.eventstream`
    Aws,
    /// A WebSocket, after status 101.
    WebSocket,
}

impl Carrier {
    /// The format of a response, by its status and the headers `upgrade` and `content-type`.
    pub fn of_reply<'a>(status: Option<u16>, header: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        let upgrade = header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        if status == Some(101) {
            return upgrade.then_some(Self::WebSocket);
        }
        header("content-type").and_then(Self::of)
    }

    /// The format for a Content-Type; `None` if the body is not a stream of frames.
    pub fn of(content_type: &str) -> Option<Self> {
        match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "text/event-stream" => Some(Self::Sse),
            "application/x-ndjson" => Some(Self::Ndjson),
            "application/vnd.amazon.eventstream" => Some(Self::Aws),
            _ => None,
        }
    }

    /// The content type of the format; empty for a WebSocket, which the status indicates.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream",
            Self::Ndjson => "application/x-ndjson",
            Self::Aws => "application/vnd.amazon.eventstream",
            Self::WebSocket => "",
        }
    }
}

/// One frame of a streamed body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// SSE: the `event:` field. AWS: `:event-type`, or `exception:NAME`, or `error:CODE`.
    pub event: Option<String>,
    /// SSE: the `data:` lines, joined by line feeds. Otherwise the frame's payload as text. An AWS message of type
    /// `error` has no payload; its data is `{"message": …}` with its `:error-message`.
    pub data: String,
}

impl From<eventstream::EventStreamMessage> for Frame {
    fn from(message: eventstream::EventStreamMessage) -> Self {
        let text = |name| message.text(name).unwrap_or_default();
        match message.text(":message-type") {
            Some("exception") => Self {
                event: Some(format!("exception:{}", text(":exception-type"))),
                data: String::from_utf8_lossy(&message.payload).into_owned(),
            },
            Some("error") => Self {
                event: Some(format!("error:{}", text(":error-code"))),
                data: json!({"message": text(":error-message")}).to_string(),
            },
            _ => Self {
                event: message.text(":event-type").map(str::to_owned),
                data: String::from_utf8_lossy(&message.payload).into_owned(),
            },
        }
    }
}

/// An incremental, lenient decoder of frames.
///
/// Like AWS's own SDKs, it stops at the first message of an AWS event stream with a wrong length or checksum: that
/// message and everything after it give no frames.
#[derive(Debug)]
pub(crate) struct FrameDecoder(Inner);

#[derive(Debug)]
enum Inner {
    Sse(sse::SseDecoder),
    /// The incomplete line.
    Ndjson {
        rest: Vec<u8>,
        lines: std::collections::VecDeque<String>,
    },
    Aws(eventstream::EventStreamDecoder),
    WebSocket(websocket::WebSocketDecoder),
}

impl FrameDecoder {
    /// Creates a decoder for one body.
    pub(crate) fn new(carrier: Carrier) -> Self {
        Self(match carrier {
            Carrier::Sse => Inner::Sse(sse::SseDecoder::lenient()),
            Carrier::Ndjson => Inner::Ndjson { rest: Vec::new(), lines: Default::default() },
            Carrier::Aws => Inner::Aws(eventstream::EventStreamDecoder::lenient()),
            Carrier::WebSocket => Inner::WebSocket(websocket::WebSocketDecoder::default()),
        })
    }

    /// Decodes the next bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Sse(decoder) => {
                // A lenient decoder never fails.
                let _ = decoder.feed(bytes);
            }
            Inner::Ndjson { rest, lines } => {
                for byte in bytes {
                    if *byte != b'\n' {
                        rest.push(*byte);
                        continue;
                    }
                    let line = String::from_utf8_lossy(rest).trim().to_owned();
                    rest.clear();
                    if !line.is_empty() {
                        lines.push_back(line);
                    }
                }
            }
            Inner::Aws(decoder) => {
                // A lenient decoder never fails.
                let _ = decoder.feed(bytes);
            }
            Inner::WebSocket(decoder) => decoder.feed(bytes),
        }
    }

    /// Returns the next frame, if one is complete.
    pub(crate) fn pop(&mut self) -> Option<Frame> {
        match &mut self.0 {
            Inner::Sse(decoder) => decoder.pop().map(|event| Frame { event: event.event, data: event.data }),
            Inner::Ndjson { lines, .. } => lines.pop_front().map(|data| Frame { event: None, data }),
            Inner::Aws(decoder) => decoder.pop().map(Frame::from),
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
            Inner::Aws(decoder) => {
                let fatal = decoder.violations().iter().find(|violation| violation.kind.is_fatal());
                fatal.map(ToString::to_string)
            }
            Inner::WebSocket(decoder) => decoder.broken().map(ToString::to_string),
            Inner::Sse(_) | Inner::Ndjson { .. } => None,
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
