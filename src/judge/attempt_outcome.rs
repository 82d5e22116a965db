//! The outcome of an attempt at an upstream, read from what the mock really sent.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    dialect::{self, Completion, ErrorObject, StreamEvent},
    observation::{Attempt, AttemptEnd, ReceivedClose, SentReply},
    provider::{self, ErrorBodyForm},
    scenario::{Api, Combination, Fault, Provider, ReplyPart, TurnReply},
    wire::{
        content_coding::declared,
        frames::{self, Carrier},
    },
};

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptOutcome {
    /// A complete, valid response. A stream is complete once its finish reason is sent.
    Success(Completion),
    /// A status other than 2xx.
    Status {
        /// 300–599.
        status: u16,
        /// The error object of the body, if it has the form of the provider's dialect.
        error: Option<ErrorObject>,
    },
    /// 200, then an error event.
    ErrorEvent {
        /// The content before it.
        before: Completion,
        /// The error.
        error: ErrorObject,
        /// The status that the error states, if what it states agrees with the catalogue.
        status: Option<u16>,
    },
    /// The connection was cut before the response was complete.
    Cut {
        /// Whether the status line was sent.
        head_sent: bool,
        /// The content before it.
        before: Completion,
    },
    /// A close frame ended the session before the response was complete.
    Closed {
        /// The content before it.
        before: Completion,
        /// The close frame.
        closed: ReceivedClose,
    },
    /// The upstream sent nothing more, for longer than the proxy waited.
    Silent {
        /// Whether the status line was sent.
        head_sent: bool,
        /// The content before it.
        before: Completion,
    },
    /// A stream that ended properly but without a finish reason.
    EndedEarly {
        /// The content.
        before: Completion,
        /// Whether it ended with `[DONE]`.
        done: bool,
    },
    /// 2xx with a body that is not a completion.
    OddBody {
        /// The error object in the body: `{"error": …}` with status 200.
        error: Option<ErrorObject>,
    },
}

impl AttemptOutcome {
    /// Reads the outcome from what was sent, in the dialect of the called endpoint, or in that of the case if the
    /// provider has no such endpoint.
    pub fn of(attempt: &Attempt, case: Combination) -> Self {
        let sent = &attempt.sent;
        let api = attempt.api.unwrap_or(case.api);
        let body = readable(sent);
        let (broken, end) = (sent.broken_after.is_some(), end(attempt));
        let json = || serde_json::from_slice::<Value>(&body).ok();
        let error = || json().and_then(|value| error(&value, sent, case.provider));
        let Some(status) = sent.status else {
            return match end {
                // The mock sent something that is not HTTP, or cut the connection.
                _ if broken || end.is_cut() => Self::Cut { head_sent: false, before: Completion::default() },
                _ => Self::Silent { head_sent: false, before: Completion::default() },
            };
        };
        if !(200..300).contains(&status) && sent.carrier() != Some(Carrier::WebSocket) {
            // An error response with an incomplete body cannot be passed on.
            let is_whole = json().is_some() && !is_short(sent);
            return match end {
                _ if (broken || end.is_cut()) && !is_whole => {
                    Self::Cut { head_sent: true, before: Completion::default() }
                }
                AttemptEnd::Open | AttemptEnd::ClientLeft if !is_whole => {
                    Self::Silent { head_sent: true, before: Completion::default() }
                }
                // Whatever the form, words at the top of the body explain the status.
                _ => {
                    let header = sent.header("x-amzn-errortype");
                    let error = json().and_then(|value| dialect::any_error(&value, header));
                    Self::Status { status, error }
                }
            };
        }
        if let Some(frames) = frames(sent, api) {
            return Self::of_stream(attempt, api, case.provider, frames);
        }
        match (end, dialect::completion(api, &body, sent.header("content-type"))) {
            _ if broken => Self::Cut { head_sent: true, before: Completion::default() },
            // A complete body is a response even if the proxy then closed the connection.
            (AttemptEnd::Finished, Some(completion)) => Self::Success(completion),
            (AttemptEnd::ClientLeft, Some(completion)) if !is_short(sent) => Self::Success(completion),
            // Only the beginning of a very long body is recorded, but the mock sent a valid response.
            (AttemptEnd::Finished, None) if is_truncated(sent) && is_reply(attempt) => {
                Self::Success(Completion::default())
            }
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
                    let error = ErrorObject { raw, ..ErrorObject::default() };
                    return Self::of_error_event(attempt, provider, before, error);
                }
                StreamEvent::Chunk { content, finish } => before.add(content, finish),
                StreamEvent::Error(error) => return Self::of_error_event(attempt, provider, before, error),
                StreamEvent::Done => done = true,
                // Clients of this dialect ignore the event, but this provider may report errors like that.
                StreamEvent::Odd(text) => {
                    let value = serde_json::from_str(&text).unwrap_or_default();
                    if let Some(error) = error(&value, &attempt.sent, provider) {
                        return Self::of_error_event(attempt, provider, before, error);
                    }
                }
            }
        }
        // Only the beginning of a very long stream is recorded: then the end of the attempt decides.
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

    fn of_error_event(attempt: &Attempt, provider: Provider, before: Completion, error: ErrorObject) -> Self {
        let names = attempt.turn.iter().flat_map(|turn| &turn.faults).filter_map(|fault| match fault {
            Fault::ErrorEvent { error, .. } => Some(*error),
            _ => None,
        });
        let meant = names.map(|name| provider::catalogue_row(provider, name).status).next();
        // Some servers use one type for every error of a stream. A proxy that knows better must not be blamed, nor
        // one that does not.
        let agrees =
            |stated: &u16| meant.is_none_or(|meant| meant == *stated || (meant >= 500 && *stated >= 500));
        let status = dialect::stated_status(&error.code, &error.kind).filter(agrees);
        Self::ErrorEvent { before, error, status }
    }

    /// Whether the attempt succeeded.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success(_))
    }

    /// The status of the failure: that of the response, or the one that an error states with which a stream begins.
    /// Nothing of such a stream has to be passed on, so the proxy can still answer with a status.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::ErrorEvent { before, status, .. } if before.pieces.is_empty() => *status,
            _ => None,
        }
    }

    /// The content that was sent, even if the attempt failed.
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

    /// Whether the attempt failed after content, which the proxy may have passed on.
    pub fn failed_after_content(&self) -> bool {
        !self.is_success() && self.delivered().is_some_and(|before| !before.pieces.is_empty())
    }

    /// The error object, from the body or an event.
    pub fn error(&self) -> Option<&ErrorObject> {
        match self {
            Self::Status { error, .. } | Self::OddBody { error } => error.as_ref(),
            Self::ErrorEvent { error, .. } => Some(error),
            _ => None,
        }
    }

    /// The outcome of this attempt in a few words, for evidence.
    pub fn describe_of(&self, attempt: &Attempt) -> String {
        let sent = &attempt.sent;
        match (sent.broken_after, sent.coded.as_ref().and_then(|coded| coded.error.as_deref())) {
            (Some(readable), _) if sent.status.is_some() && !self.is_success() => format!(
                "sent {} bytes of body, of which a client can read only {readable} because the message is invalid",
                sent.bytes
            ),
            (_, Some(error)) => format!("sent a body that is not what its Content-Encoding says: {error}"),
            _ => match sent.header("retry-after").filter(|_| !self.is_success()) {
                Some(wait) => format!("{} with Retry-After: {wait}", self.describe()),
                None => self.describe(),
            },
        }
    }

    /// The outcome in a few words.
    pub fn describe(&self) -> String {
        match self {
            Self::Success(_) => "succeeded".to_owned(),
            Self::Status { status, .. } => format!("answered {status}"),
            Self::ErrorEvent { before, error, .. } => {
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
                format!("stopped sending after {} pieces of content", before.pieces.len())
            }
            Self::EndedEarly { before, .. } => {
                format!(
                    "ended the stream after {} pieces of content without a finish reason",
                    before.pieces.len()
                )
            }
            Self::OddBody { .. } => "answered 2xx with a body that is not a completion".to_owned(),
        }
    }
}

/// How an attempt ended. If the mock was about to cut it when the client left, it counts as cut. If the mock was
/// about to finish it, it does not count as finished, because the rest was not sent.
fn end(attempt: &Attempt) -> AttemptEnd {
    match attempt.end_as_planned() {
        AttemptEnd::Finished => attempt.end,
        planned => planned,
    }
}

/// The part of the body that a correct HTTP client can read.
fn readable(sent: &SentReply) -> Cow<'_, [u8]> {
    let body = sent.body_bytes();
    let undecodable = match &sent.coded {
        Some(coded) => coded.error.is_some(),
        // A report of an earlier version contains coded bodies as they were sent.
        None => declared(sent.header("content-encoding")).is_some(),
    };
    let end = if undecodable {
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

/// Whether the body that was sent is shorter than its Content-Length, even if only the final newline is missing.
fn is_short(sent: &SentReply) -> bool {
    let length = sent.header("content-length").and_then(|text| text.parse::<u64>().ok());
    length.is_some_and(|length| sent.written_bytes() < length)
}

/// Whether only the beginning of a very long body is recorded.
pub(super) fn is_truncated(sent: &SentReply) -> bool {
    (sent.body_bytes().len() as u64) < sent.bytes
}

/// Whether the scenario lets the provider answer with a valid response.
fn is_reply(attempt: &Attempt) -> bool {
    attempt.turn.as_ref().is_some_and(|turn| {
        matches!(turn.answer, TurnReply::Reply(_))
            && !turn.faults.iter().any(|fault| fault.changes(ReplyPart::Body))
    })
}

/// Whether a stream was sent including the terminator of its dialect.
pub(super) fn is_terminated(attempt: &Attempt, case: Combination) -> bool {
    let api = attempt.api.unwrap_or(case.api);
    frames(&attempt.sent, api)
        .into_iter()
        .flatten()
        .last()
        .is_some_and(|frame| dialect::event(api, frame.event.as_deref(), &frame.data) == StreamEvent::Done)
}

/// The frames of a streamed body; `None` if the body is not a stream.
pub(super) fn frames(sent: &SentReply, api: Api) -> Option<Vec<frames::Frame>> {
    let body = readable(sent);
    if let Some(carrier) = sent.carrier() {
        return Some(frames::decode(carrier, &body));
    }
    let elements = dialect::elements(api, &String::from_utf8_lossy(&body))?;
    Some(elements.into_iter().map(|data| frames::Frame { event: None, data }).collect())
}

/// The content of a streamed body, including the part that no correct client can read.
pub(super) fn written_content(sent: &SentReply, api: Api) -> Completion {
    let mut written = Completion::default();
    let frames = sent.carrier().map(|carrier| frames::decode(carrier, &sent.body_bytes()));
    for frame in frames.into_iter().flatten() {
        if let StreamEvent::Chunk { content, finish } =
            dialect::event(api, frame.event.as_deref(), &frame.data)
        {
            written.add(content, finish);
        }
    }
    written
}

/// The error object of a body, in one of the forms that this provider uses.
fn error(value: &Value, sent: &SentReply, provider: Provider) -> Option<ErrorObject> {
    if fails_flat(provider) {
        dialect::any_error(value, sent.header("x-amzn-errortype"))
    } else {
        dialect::nested_error(value)
    }
}

/// Whether this provider sends some errors in another form than an object under `error`. A proxy does not have to
/// understand such a body from other providers.
fn fails_flat(provider: Provider) -> bool {
    let profile = provider::profile(provider);
    let nested = |form: &ErrorBodyForm| {
        matches!(
            form,
            ErrorBodyForm::Openai
                | ErrorBodyForm::OpenaiSparse
                | ErrorBodyForm::Text
                | ErrorBodyForm::CodeAndError
                | ErrorBodyForm::Plain
                | ErrorBodyForm::Empty
                | ErrorBodyForm::NginxPage
                | ErrorBodyForm::CloudflarePage
                | ErrorBodyForm::CloudflareBrandedPage
        )
    };
    let rows = profile.errors.values().filter_map(|row| row.form.as_ref());
    !rows.chain(profile.forms.values()).chain([&profile.form]).all(nested)
}
