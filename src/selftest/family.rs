//! The groups of exhibits in the table.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A layer of the wire, and the faults that affect it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FaultLayer {
    /// Ports, backlogs, accepted connections.
    Connection,
    /// Host names and TLS.
    Tls,
    /// The syntax of HTTP/1.1 messages.
    Http1,
    /// The frames of HTTP/2.
    Http2,
    /// Whole bodies and the headers that describe them.
    Body,
    /// Events of a stream.
    Stream,
    /// AWS's event stream encoding.
    EventStream,
    /// Sessions over a WebSocket.
    Session,
    /// Waits and packets.
    Timing,
    /// Replies that end too early.
    Ending,
    /// Several faults in one list.
    Combined,
}

impl FaultLayer {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::Connection,
        Self::Tls,
        Self::Http1,
        Self::Http2,
        Self::Body,
        Self::Stream,
        Self::EventStream,
        Self::Session,
        Self::Timing,
        Self::Ending,
        Self::Combined,
    ];
}

impl fmt::Display for FaultLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connection => "connection",
            Self::Tls => "name and TLS",
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
            Self::Body => "body",
            Self::Stream => "stream",
            Self::EventStream => "AWS event stream",
            Self::Session => "WebSocket session",
            Self::Timing => "timing",
            Self::Ending => "endings",
            Self::Combined => "combined",
        })
    }
}
