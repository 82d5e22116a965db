//! What a correct client reports about a reply.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    reply::MessageFraming,
    transcript::{ConnectionEnd, Transcript},
};

/// The result that a correct client reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientView {
    /// A complete reply.
    Whole {
        /// Its status.
        status: u16,
    },
    /// An error without a status.
    BrokenBeforeHead,
    /// A status, then an error.
    BrokenAfterHead,
    /// No byte, or no further byte, arrives. Only the client's time-out ends the wait.
    Silent,
    /// No usable connection.
    NotConnected,
    /// Either the complete reply or an error: the standards allow both.
    Doubtful,
}

impl ClientView {
    /// Computes the result. `doubtful` is whether the standards allow both success and an error.
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
