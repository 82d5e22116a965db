//! What became of one attempt upstream, read from what the mock really sent.

use serde_json::Value;

use super::chat::{self, ChatEvent, Completion, ErrorObject};
use crate::{
    observation::{Attempt, AttemptEnd},
    wire::sse,
};

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// A complete, valid answer. A stream counts as complete once its finish reason is out.
    Success(Completion),
    /// A status that is no success.
    Status {
        /// 300–599.
        status: u16,
        /// The error object of the body, where it is the dialect's.
        error: Option<ErrorObject>,
    },
    /// 200, then an error as an event.
    ErrorEvent {
        /// What was delivered before it.
        before: Completion,
        /// The error.
        error: ErrorObject,
    },
    /// The connection was cut before the answer was complete.
    Cut {
        /// Whether the status line was out.
        head_sent: bool,
        /// What was delivered before it.
        before: Completion,
    },
    /// Nothing more came, for longer than the proxy was ready to wait.
    Silent {
        /// Whether the status line was out.
        head_sent: bool,
        /// What was delivered before it.
        before: Completion,
    },
    /// A stream that ended properly but without saying that it is complete.
    EndedEarly {
        /// What was delivered.
        before: Completion,
        /// Whether it ended with `[DONE]` all the same.
        done: bool,
    },
    /// 2xx with a body that is no answer; the error object in it, if there is one.
    OddBody {
        /// For `{"error": …}` under 200.
        error: Option<ErrorObject>,
    },
}

impl Fate {
    /// Reads it from what was sent.
    pub fn of(attempt: &Attempt) -> Self {
        let sent = &attempt.sent;
        let json = || serde_json::from_str::<Value>(&sent.body).ok();
        let Some(status) = sent.status else {
            return match attempt.end {
                AttemptEnd::Reset | AttemptEnd::Closed => {
                    Self::Cut { head_sent: false, before: Completion::default() }
                }
                _ => Self::Silent { head_sent: false, before: Completion::default() },
            };
        };
        if !(200..300).contains(&status) {
            // A status whose body never came to its end is no answer that could be passed on.
            return match attempt.end {
                AttemptEnd::Reset | AttemptEnd::Closed if json().is_none() => {
                    Self::Cut { head_sent: true, before: Completion::default() }
                }
                AttemptEnd::Open | AttemptEnd::ClientLeft if json().is_none() => {
                    Self::Silent { head_sent: true, before: Completion::default() }
                }
                _ => Self::Status { status, error: json().as_ref().and_then(chat::error_object) },
            };
        }
        if sent.carrier().is_some() {
            return Self::of_stream(attempt);
        }
        let complete = json().as_ref().and_then(chat::completion);
        match (attempt.end, complete) {
            // A whole body that was handed over is an answer even if the proxy then went away.
            (AttemptEnd::Finished | AttemptEnd::ClientLeft, Some(completion)) => Self::Success(completion),
            (AttemptEnd::Finished, None) => {
                Self::OddBody { error: json().as_ref().and_then(chat::error_object) }
            }
            (AttemptEnd::Reset | AttemptEnd::Closed, _) => {
                Self::Cut { head_sent: true, before: Completion::default() }
            }
            (AttemptEnd::Open | AttemptEnd::ClientLeft, _) => {
                Self::Silent { head_sent: true, before: Completion::default() }
            }
        }
    }

    fn of_stream(attempt: &Attempt) -> Self {
        let mut before = Completion::default();
        let mut done = false;
        for event in sse::decode(attempt.sent.body.as_bytes()) {
            match chat::event(&event.data) {
                ChatEvent::Chunk { piece, finish } => {
                    before.pieces.extend(piece);
                    before.finish = finish.or(before.finish);
                }
                ChatEvent::Error(error) => return Self::ErrorEvent { before, error },
                ChatEvent::Done => done = true,
                ChatEvent::Odd(_) => {}
            }
        }
        // What is kept of a very long stream is cut off; its end then tells what became of it.
        let truncated = (attempt.sent.body.len() as u64) < attempt.sent.bytes;
        let complete = before.finish.is_some() || (truncated && attempt.end == AttemptEnd::Finished);
        match attempt.end {
            _ if complete => Self::Success(before),
            AttemptEnd::Finished => Self::EndedEarly { before, done },
            AttemptEnd::Reset | AttemptEnd::Closed => Self::Cut { head_sent: true, before },
            AttemptEnd::Open | AttemptEnd::ClientLeft => Self::Silent { head_sent: true, before },
        }
    }

    /// Whether a caller is owed a success.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success(_))
    }

    /// What was delivered as content, whether or not it ended well.
    pub fn delivered(&self) -> Option<&Completion> {
        match self {
            Self::Success(completion) => Some(completion),
            Self::ErrorEvent { before, .. }
            | Self::Cut { before, .. }
            | Self::Silent { before, .. }
            | Self::EndedEarly { before, .. } => Some(before),
            Self::Status { .. } | Self::OddBody { .. } => None,
        }
    }

    /// Whether a piece of content was out before it failed: the proxy may have passed it on.
    pub fn failed_after_content(&self) -> bool {
        !self.is_success() && self.delivered().is_some_and(|before| !before.pieces.is_empty())
    }

    /// The error object, wherever it stood.
    pub fn error(&self) -> Option<&ErrorObject> {
        match self {
            Self::Status { error, .. } | Self::OddBody { error } => error.as_ref(),
            Self::ErrorEvent { error, .. } => Some(error),
            _ => None,
        }
    }

    /// In a few words, for evidence.
    pub fn describe(&self) -> String {
        match self {
            Self::Success(_) => "succeeded".to_owned(),
            Self::Status { status, .. } => format!("answered {status}"),
            Self::ErrorEvent { before, error } => {
                format!(
                    "sent an error event after {} pieces of content: {}",
                    before.pieces.len(),
                    error.message
                )
            }
            Self::Cut { head_sent: false, .. } => "cut the connection before the status line".to_owned(),
            Self::Cut { before, .. } => {
                format!("cut the connection after {} pieces of content", before.pieces.len())
            }
            Self::Silent { head_sent: false, .. } => "never answered".to_owned(),
            Self::Silent { before, .. } => {
                format!("fell silent after {} pieces of content", before.pieces.len())
            }
            Self::EndedEarly { before, .. } => {
                format!(
                    "ended the stream after {} pieces of content without a finish reason",
                    before.pieces.len()
                )
            }
            Self::OddBody { .. } => "answered 2xx with a body that is no completion".to_owned(),
        }
    }
}
