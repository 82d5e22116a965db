//! What became of one attempt upstream, read from what the mock really sent.

use std::borrow::Cow;

use serde_json::Value;

use super::dialect::{self, Completion, ErrorObject, StreamEvent};
use crate::{
    observation::{Attempt, AttemptEnd, Closed, Sent},
    provider::{self, Form},
    scenario::{Api, Combination, Provider},
    wire::frames::{self, Carrier},
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
    /// A session that was ended by a close frame before there was an answer.
    Closed {
        /// What was delivered before it.
        before: Completion,
        /// The frame.
        closed: Closed,
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
    /// Reads it from what was sent, in the dialect of the endpoint that was asked; where the path was
    /// none of the provider's, in that of the case.
    pub fn of(attempt: &Attempt, case: Combination) -> Self {
        let sent = &attempt.sent;
        let api = attempt.api.unwrap_or(case.api);
        let body = readable(sent);
        let (broken, end) = (sent.broken_after.is_some(), end(attempt));
        let json = || serde_json::from_slice::<Value>(&body).ok();
        let error = || json().and_then(|value| error(&value, sent, case.provider));
        let Some(status) = sent.status else {
            return match end {
                // It was answered, but by nothing that is HTTP.
                _ if broken || end.is_cut() => Self::Cut { head_sent: false, before: Completion::default() },
                _ => Self::Silent { head_sent: false, before: Completion::default() },
            };
        };
        if !(200..300).contains(&status) && sent.carrier() != Some(Carrier::WebSocket) {
            // A status whose body never came to its end is no answer that could be passed on.
            let is_whole = json().is_some() && !is_short(sent);
            return match end {
                _ if (broken || end.is_cut()) && !is_whole => {
                    Self::Cut { head_sent: true, before: Completion::default() }
                }
                AttemptEnd::Open | AttemptEnd::ClientLeft if !is_whole => {
                    Self::Silent { head_sent: true, before: Completion::default() }
                }
                _ => Self::Status { status, error: error() },
            };
        }
        if let Some(frames) = frames(sent, api) {
            return Self::of_stream(attempt, api, case.provider, frames);
        }
        match (end, dialect::completion(api, &body, sent.header("content-type"))) {
            _ if broken => Self::Cut { head_sent: true, before: Completion::default() },
            // A whole body that was handed over is an answer even if the proxy then went away.
            (AttemptEnd::Finished, Some(completion)) => Self::Success(completion),
            (AttemptEnd::ClientLeft, Some(completion)) if !is_short(sent) => Self::Success(completion),
            (AttemptEnd::Finished, None) => Self::OddBody { error: error() },
            _ if end.is_cut() => Self::Cut { head_sent: true, before: Completion::default() },
            _ => Self::Silent { head_sent: true, before: Completion::default() },
        }
    }

    fn of_stream(attempt: &Attempt, api: Api, provider: Provider, frames: Vec<frames::Frame>) -> Self {
        let mut before = Completion::default();
        let mut done = false;
        for frame in frames {
            match dialect::event(api, frame.event.as_deref(), &frame.data) {
                StreamEvent::Chunk { finish: Some(finish), .. } if finish == "error" => {
                    let raw = serde_json::from_str(&frame.data).unwrap_or_default();
                    return Self::ErrorEvent { before, error: ErrorObject { raw, ..ErrorObject::default() } };
                }
                StreamEvent::Chunk { piece, finish } => {
                    before.pieces.extend(piece);
                    before.finish = finish.or(before.finish);
                }
                StreamEvent::Error(error) => return Self::ErrorEvent { before, error },
                StreamEvent::Done => done = true,
                // What a client of this dialect passes over may still be how the provider fails.
                StreamEvent::Odd(text) => {
                    let value = serde_json::from_str(&text).unwrap_or_default();
                    if let Some(error) = error(&value, &attempt.sent, provider) {
                        return Self::ErrorEvent { before, error };
                    }
                }
            }
        }
        // What is kept of a very long stream is cut off; its end then tells what became of it.
        let complete =
            before.finish.is_some() || (is_truncated(&attempt.sent) && attempt.end == AttemptEnd::Finished);
        if let (false, Some(closed)) = (complete, &attempt.sent.closed) {
            return Self::Closed { before, closed: closed.clone() };
        }
        match end(attempt) {
            _ if complete => Self::Success(before),
            _ if attempt.sent.broken_after.is_some() => Self::Cut { head_sent: true, before },
            AttemptEnd::Finished => Self::EndedEarly { before, done },
            end if end.is_cut() => Self::Cut { head_sent: true, before },
            _ => Self::Silent { head_sent: true, before },
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
            | Self::Closed { before, .. }
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
            Self::Closed { before, closed } => {
                format!("closed the session after {} pieces of content: {closed}", before.pieces.len())
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

/// How an attempt ended; one that was about to be cut counts as cut. One that was about to be finished does
/// not count as finished: what its client left behind was never sent.
fn end(attempt: &Attempt) -> AttemptEnd {
    match attempt.end_as_planned() {
        AttemptEnd::Finished => attempt.end,
        planned => planned,
    }
}

/// The body as far as somebody who keeps to HTTP can read it.
fn readable(sent: &Sent) -> Cow<'_, [u8]> {
    let body = sent.body_bytes();
    // Compressed, or said to be: only faults send that, and none of them can be unpacked.
    let end = if sent.header("content-encoding").is_some_and(|coding| coding != "identity") {
        0
    } else {
        sent.broken_after.map_or(body.len(), |end| body.len().min(usize::try_from(end).unwrap_or(usize::MAX)))
    };
    match body {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..end]),
        Cow::Owned(mut bytes) => {
            bytes.truncate(end);
            Cow::Owned(bytes)
        }
    }
}

/// Whether less of a body was sent than its length says, be it only the line end after its JSON.
fn is_short(sent: &Sent) -> bool {
    let length = sent.header("content-length").and_then(|text| text.parse::<u64>().ok());
    length.is_some_and(|length| sent.bytes < length)
}

/// Whether only a part of a very long body is on record.
pub(super) fn is_truncated(sent: &Sent) -> bool {
    (sent.body_bytes().len() as u64) < sent.bytes
}

/// Whether a stream was sent up to its dialect's terminator.
pub(super) fn is_terminated(attempt: &Attempt, case: Combination) -> bool {
    let api = attempt.api.unwrap_or(case.api);
    frames(&attempt.sent, api)
        .into_iter()
        .flatten()
        .last()
        .is_some_and(|frame| dialect::event(api, frame.event.as_deref(), &frame.data) == StreamEvent::Done)
}

/// The frames of a streamed body; `None` where it is none.
pub(super) fn frames(sent: &Sent, api: Api) -> Option<Vec<frames::Frame>> {
    let body = readable(sent);
    if let Some(carrier) = sent.carrier() {
        return Some(frames::decode(carrier, &body));
    }
    let elements = dialect::elements(api, &String::from_utf8_lossy(&body))?;
    Some(elements.into_iter().map(|data| frames::Frame { event: None, data }).collect())
}

/// The error object of a body, in one of the forms in which this provider fails.
fn error(value: &Value, sent: &Sent, provider: Provider) -> Option<ErrorObject> {
    if fails_flat(provider) {
        dialect::any_error(value, sent.header("x-amzn-errortype"))
    } else {
        dialect::nested_error(value)
    }
}

/// Whether some error of this provider is no object under `error`. Elsewhere such a body is nothing
/// that a proxy could be asked to understand.
fn fails_flat(provider: Provider) -> bool {
    let profile = provider::profile(provider);
    let nested = |form: &Form| {
        matches!(
            form,
            Form::Openai
                | Form::OpenaiSparse
                | Form::Text
                | Form::CodeAndError
                | Form::Plain
                | Form::Empty
                | Form::NginxPage
                | Form::CloudflarePage
                | Form::CloudflareBrandedPage
        )
    };
    let rows = profile.errors.values().filter_map(|row| row.form.as_ref());
    !rows.chain(profile.forms.values()).chain([&profile.form]).all(nested)
}
