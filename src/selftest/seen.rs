//! What any client can make of what came over the wire.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    raw::{ConnectionEnd, Transcript},
    reply::MessageFraming,
};

/// What a client that knows its standards can say in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientView {
    /// A whole reply.
    Whole {
        /// Its status.
        status: u16,
    },
    /// No status, and an error.
    BrokenBeforeHead,
    /// A status, then an error.
    BrokenAfterHead,
    /// Nothing comes, or nothing more: only a time-out ends it.
    Silent,
    /// There is no connection, or nothing that may be spoken over it.
    NotConnected,
    /// All of it, or an error: the standards leave it open.
    Doubtful,
}

impl ClientView {
    /// Of what came; `doubtful` where the standards leave open what to make of it.
    pub fn of(transcript: &Transcript, doubtful: bool) -> Self {
        let reply = &transcript.reply;
        if doubtful {
            return Self::Doubtful;
        }
        match (&transcript.ending, reply.framing, reply.status) {
            (
                ConnectionEnd::Refused
                | ConnectionEnd::ConnectTimedOut
                | ConnectionEnd::NameUnknown
                | ConnectionEnd::Certificate(_)
                | ConnectionEnd::Alert(_),
                ..,
            ) => Self::NotConnected,
            (_, MessageFraming::Whole, Some(status)) => Self::Whole { status },
            (_, MessageFraming::Broken, _) => Self::BrokenAfterHead,
            (_, MessageFraming::NoHead, _) => Self::BrokenBeforeHead,
            (ConnectionEnd::Open, ..) => Self::Silent,
            (_, _, Some(_)) => Self::BrokenAfterHead,
            (_, _, None) => Self::BrokenBeforeHead,
        }
    }
}

impl fmt::Display for ClientView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { status } => write!(f, "a whole {status}"),
            Self::BrokenBeforeHead => f.write_str("an error without a status"),
            Self::BrokenAfterHead => f.write_str("a status, then an error"),
            Self::Silent => f.write_str("silence, until a time-out"),
            Self::NotConnected => f.write_str("no connection"),
            Self::Doubtful => f.write_str("all of it, or an error"),
        }
    }
}
