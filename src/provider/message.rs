//! A reply as a provider would send it, before any fault.

use bytes::Bytes;
use bytestring::ByteString;

use super::header::HeaderField;

/// A complete reply in a provider's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderMessage {
    /// The status code.
    pub status: u16,
    /// Names in lower case; without the framing headers, which the plan decides.
    pub headers: Vec<HeaderField>,
    /// What follows.
    pub body: MessageBody,
}

/// A body, whole or in frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageBody {
    /// Sent at once, with a Content-Length.
    Whole(Bytes),
    /// An event stream, chunked; each entry is one complete event as it goes over the wire.
    Events {
        /// The events that carry content.
        events: Vec<Bytes>,
        /// The one that says that the stream is complete (`data: [DONE]`), where the dialect has one.
        terminator: Option<Bytes>,
    },
    /// A WebSocket session; each entry is one frame as it goes over the wire.
    Session {
        /// What the server says before it is spoken to.
        opening: Vec<Bytes>,
        /// The type of the event that it then waits for.
        awaited: &'static str,
        /// What it answers.
        events: Vec<Bytes>,
        /// The last event of the answer.
        last: Bytes,
    },
}

impl ProviderMessage {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| **key == *name).map(|(_, value)| &**value)
    }

    /// Sets a header, or takes it away.
    pub fn set_header(&mut self, name: &str, value: Option<ByteString>) {
        self.headers.retain(|(key, _)| **key != *name);
        if let Some(value) = value {
            self.headers.push((name.into(), value));
        }
    }
}

#[cfg(test)]
impl ProviderMessage {
    /// All of the body, the frames of a stream one after the other.
    pub(crate) fn text(&self) -> String {
        let bytes = match &self.body {
            MessageBody::Whole(bytes) => bytes.to_vec(),
            MessageBody::Events { events, terminator } => {
                events.iter().chain(terminator).flat_map(|bytes| bytes.to_vec()).collect()
            }
            MessageBody::Session { opening, events, last, .. } => {
                let frames = opening.iter().chain(events).chain([last]);
                let bytes: Vec<u8> = frames.flat_map(|bytes| bytes.to_vec()).collect();
                let said = crate::wire::frames::decode(crate::wire::frames::Carrier::WebSocket, &bytes);
                said.into_iter().flat_map(|frame| (frame.data + "\n").into_bytes()).collect()
            }
        };
        String::from_utf8(bytes).expect("this dialect is text")
    }
}
