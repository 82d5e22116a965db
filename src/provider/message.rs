//! A reply as a provider would send it, before any fault.

use bytes::Bytes;
use bytestring::ByteString;

/// A header's name, in lower case, and its value: text that is shared and not copied, as most of it is the same
/// in every reply.
pub type Header = (ByteString, ByteString);

/// A header of texts of any kind.
pub(super) fn header(name: impl Into<ByteString>, value: impl Into<ByteString>) -> Header {
    (name.into(), value.into())
}

/// The same headers as texts of their own, as an observation has them.
pub fn owned_headers(headers: &[Header]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// A complete reply in a provider's dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The status code.
    pub status: u16,
    /// Names in lower case; without the framing headers, which the plan decides.
    pub headers: Vec<Header>,
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
}

impl Message {
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
impl Message {
    /// All of the body, the frames of a stream one after the other.
    pub(crate) fn text(&self) -> String {
        let bytes = match &self.body {
            MessageBody::Whole(bytes) => bytes.to_vec(),
            MessageBody::Events { events, terminator } => {
                events.iter().chain(terminator).flat_map(|bytes| bytes.to_vec()).collect()
            }
        };
        String::from_utf8(bytes).expect("this dialect is text")
    }
}
