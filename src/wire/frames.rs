//! A streamed body, frame by frame, whatever carries it.

use super::sse;

/// What a streamed body's frames are carried in, as its content type tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `text/event-stream`
    Sse,
    /// `application/x-ndjson`: one JSON value a line.
    Ndjson,
    /// `application/vnd.amazon.eventstream`
    Aws,
}

impl Carrier {
    /// By the value of a content-type header; `None` where the body is no stream of frames.
    pub fn of(content_type: &str) -> Option<Self> {
        match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "text/event-stream" => Some(Self::Sse),
            "application/x-ndjson" => Some(Self::Ndjson),
            "application/vnd.amazon.eventstream" => Some(Self::Aws),
            _ => None,
        }
    }
}

/// One frame of a streamed body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// SSE: the `event:` field. AWS: `:event-type`, or `exception:NAME`, or `error:CODE`.
    pub event: Option<String>,
    /// SSE: the `data:` lines, joined by line feeds. Otherwise the frame's payload as text.
    pub data: String,
}

/// Reads frames out of bytes as they come; refuses nothing.
#[derive(Debug)]
pub struct Decoder(Inner);

#[derive(Debug)]
enum Inner {
    Sse(sse::Decoder),
    /// The line that has begun.
    Ndjson {
        rest: Vec<u8>,
        lines: std::collections::VecDeque<String>,
    },
}

impl Decoder {
    /// For one body.
    pub fn new(carrier: Carrier) -> Self {
        Self(match carrier {
            Carrier::Sse => Inner::Sse(sse::Decoder::lenient()),
            Carrier::Ndjson | Carrier::Aws => Inner::Ndjson { rest: Vec::new(), lines: Default::default() },
        })
    }

    /// Takes the bytes that came next.
    pub fn feed(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Sse(decoder) => {
                // A lenient decoder refuses nothing.
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
        }
    }

    /// The next frame that is complete.
    pub fn pop(&mut self) -> Option<Frame> {
        match &mut self.0 {
            Inner::Sse(decoder) => decoder.pop().map(|event| Frame { event: event.event, data: event.data }),
            Inner::Ndjson { lines, .. } => lines.pop_front().map(|data| Frame { event: None, data }),
        }
    }
}

/// All complete frames of a body.
pub fn decode(carrier: Carrier, bytes: &[u8]) -> Vec<Frame> {
    let mut decoder = Decoder::new(carrier);
    decoder.feed(bytes);
    std::iter::from_fn(|| decoder.pop()).collect()
}
