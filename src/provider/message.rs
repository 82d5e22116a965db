//! A provider's response, before any fault.

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use serde_json::Value;

use super::header::HeaderField;

/// A complete response in a provider's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderMessage {
    /// The status code.
    pub status: u16,
    /// The headers, with names in lower case; without the framing headers, which the response plan adds.
    pub headers: Vec<HeaderField>,
    /// The body.
    pub body: MessageBody,
}

/// A body, whole or in frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageBody {
    /// Sent at once, with a Content-Length.
    Whole(Bytes),
    /// A chunked event stream; each entry is the bytes of one complete event.
    Events {
        /// The events that carry content.
        events: Vec<Bytes>,
        /// The event that completes the stream (`data: [DONE]`), if the dialect has one.
        terminator: Option<Bytes>,
    },
    /// A literal body in parts, each of them one chunk of a chunked reply. A format that carries events is split into its
    /// events by the plan.
    Chunks(Vec<TimedChunk>),
    /// A WebSocket session; each entry is the bytes of one frame.
    Session {
        /// The frames that the server sends before the client sends any.
        opening: Vec<Bytes>,
        /// The type of the client event that the server then waits for.
        awaited: &'static str,
        /// The frames of the response, except the last.
        events: Vec<Bytes>,
        /// The last frame of the response.
        last: Bytes,
    },
}

/// One part of a literal body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedChunk {
    /// The silence before it.
    pub wait: Duration,
    /// Its bytes.
    pub bytes: Bytes,
}

impl ProviderMessage {
    /// The value of the first header with this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| **key == *name).map(|(_, value)| &**value)
    }

    /// Sets a header, or removes it if `value` is `None`.
    pub fn set_header(&mut self, name: &str, value: Option<ByteString>) {
        self.headers.retain(|(key, _)| **key != *name);
        if let Some(value) = value {
            self.headers.push((name.into(), value));
        }
    }
}

#[cfg(test)]
impl ProviderMessage {
    /// The whole body as text; the frames of a stream are concatenated.
    pub(crate) fn text(&self) -> String {
        let bytes = match &self.body {
            MessageBody::Whole(bytes) => bytes.to_vec(),
            MessageBody::Events { events, terminator } => {
                events.iter().chain(terminator).flat_map(|bytes| bytes.to_vec()).collect()
            }
            MessageBody::Chunks(chunks) => chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect(),
            MessageBody::Session { opening, events, last, .. } => {
                let frames = opening.iter().chain(events).chain([last]);
                let bytes: Vec<u8> = frames.flat_map(|bytes| bytes.to_vec()).collect();
                let frames = crate::wire::frames::decode(crate::wire::frames::Carrier::WebSocket, &bytes);
                frames.into_iter().flat_map(|frame| (frame.data + "\n").into_bytes()).collect()
            }
        };
        String::from_utf8(bytes).expect("this dialect is text")
    }
}

/// A JSON body with its content type.
pub(super) fn json(value: &Value) -> (&'static str, MessageBody) {
    ("application/json", MessageBody::Whole(value.to_string().into()))
}
