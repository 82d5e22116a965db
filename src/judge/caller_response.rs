//! The response that the caller got, parsed in the dialect of the API that it called.

use serde_json::Value;

use super::session::CallerSession;
use crate::{
    dialect::{self, Completion, ErrorForm, ErrorObject, StreamEvent},
    observation::{Exchange, ExchangeOutcome, ReceivedFrame, Response, ResponseEnd, excerpt},
    scenario::Api,
    wire::frames::Carrier,
};

/// The response that the caller got.
#[derive(Debug, Clone, PartialEq)]
pub enum CallerResponse {
    /// No response: no status line arrived.
    Nothing(ResponseEnd),
    /// A response with a status other than 2xx.
    Failure {
        /// 1xx or 3xx–5xx.
        status: u16,
        /// The body, if it is JSON.
        body: Option<Value>,
        /// The error object, if there is one.
        error: Option<ErrorObject>,
    },
    /// 2xx with a plain body.
    Whole {
        /// The status.
        status: u16,
        /// Why a client cannot decode the body. It raises an exception.
        undecodable: Option<String>,
        /// `None` if the body is not a completion.
        completion: Option<Completion>,
        /// An error object in the body.
        error: Option<ErrorObject>,
        /// Whether the body is complete.
        complete: bool,
    },
    /// 2xx with an event stream.
    Stream(CallerStream),
    /// 101, followed by a session.
    Session(CallerSession),
}

/// A stream as the caller got it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallerStream {
    /// The API that the caller called.
    pub api: Api,
    /// The status.
    pub status: u16,
    /// Content and finish reason.
    pub completion: Completion,
    /// Whether it contains the terminator of the dialect: `[DONE]`, `message_stop`.
    pub done: bool,
    /// The error events with their times in milliseconds.
    pub errors: Vec<(f64, ErrorObject)>,
    /// Frames that are neither a chunk, an error nor a terminator.
    pub odd: Vec<String>,
    /// Whether the HTTP message is complete; otherwise the connection was cut or is still open.
    pub complete: bool,
    /// Whether it was still open when upfault stopped waiting.
    pub unending: bool,
    /// Whether the caller left before the end.
    pub left: bool,
    /// Why the rest is unreadable. A client raises an exception there.
    pub damage: Option<String>,
}

impl CallerStream {
    /// Whether the stream looks complete to the caller.
    pub fn looks_finished(&self) -> bool {
        let finish = self.completion.finish.as_deref();
        // Clients of a dialect without `[DONE]` ignore it.
        let done = self.done && dialect::terminator(self.api).is_some();
        self.errors.is_empty()
            && self.damage.is_none()
            && finish != Some("error")
            && (finish.is_some() || done)
    }

    /// Whether the caller can see a failure. A finish reason `error` alone does not show it: no SDK raises an
    /// exception for it.
    pub fn shows_failure(&self) -> bool {
        !self.errors.is_empty() || self.damage.is_some() || (!self.complete && !self.unending && !self.left)
    }
}

/// Whether only the beginning of a very long body is recorded, of which the rest arrived too.
pub(super) fn is_truncated(answer: &Response) -> bool {
    answer.ending == ResponseEnd::Complete
        && answer.body.bytes > answer.body.text.len() as u64
        && answer.body.frames.is_empty()
        && answer.body.utf8
}

impl CallerResponse {
    /// Parses the response of an exchange, in the dialect of `api`.
    pub fn of(exchange: &Exchange, api: Api) -> Self {
        let answer = match &exchange.outcome {
            ExchangeOutcome::NoAnswer { ending } => return Self::Nothing(ending.clone()),
            ExchangeOutcome::Answer(answer) => answer,
        };
        if answer.carrier() == Some(Carrier::WebSocket) {
            return Self::Session(CallerSession::of(answer, api));
        }
        let undecodable = answer.body.undecodable();
        // A client that cannot decode the body does not see it.
        let text = if undecodable.is_some() { "" } else { answer.body.text.as_str() };
        let body = || serde_json::from_str::<Value>(text).ok();
        if !(200..300).contains(&answer.status) {
            let body = body();
            let error = body.as_ref().and_then(|value| error(api, value, answer));
            return Self::Failure { status: answer.status, body, error };
        }
        // Without a content type, the body was read the way clients of the API read it.
        if answer.carrier().is_some() || !answer.body.frames.is_empty() {
            return Self::Stream(stream(answer, api, &answer.body.frames));
        }
        if let Some(elements) = dialect::elements(api, text) {
            let frame = |data| ReceivedFrame { at_ms: exchange.end_ms, event: None, data };
            let frames: Vec<ReceivedFrame> = elements.into_iter().map(frame).collect();
            return Self::Stream(stream(answer, api, &frames));
        }
        Self::Whole {
            status: answer.status,
            undecodable: undecodable.map(str::to_owned),
            completion: dialect::completion(api, text.as_bytes(), answer.header("content-type"))
                // Only the beginning of a very long body is recorded; nothing in it can be read.
                .or_else(|| is_truncated(answer).then(Completion::default))
                .filter(|_| undecodable.is_none()),
            error: body().as_ref().and_then(dialect::nested_error),
            complete: answer.ending == ResponseEnd::Complete,
        }
    }

    /// Whether the response looks like a success to the caller.
    pub fn looks_successful(&self) -> bool {
        match self {
            Self::Whole { completion, error, complete, .. } => {
                *complete && completion.is_some() && error.is_none()
            }
            Self::Stream(stream) => stream.looks_finished() && stream.complete,
            Self::Session(session) => session.looks_successful(),
            Self::Nothing(_) | Self::Failure { .. } => false,
        }
    }

    /// Whether the status is 2xx.
    pub fn is_2xx(&self) -> bool {
        matches!(self, Self::Whole { .. } | Self::Stream(_))
    }

    /// The status, if it is not 2xx.
    pub fn failure_status(&self) -> Option<u16> {
        match self {
            Self::Failure { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The stream, if it is one.
    pub fn stream(&self) -> Option<&CallerStream> {
        match self {
            Self::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    /// The session, if it is one.
    pub fn session(&self) -> Option<&CallerSession> {
        match self {
            Self::Session(session) => Some(session),
            _ => None,
        }
    }

    /// The error object: from the body, or from the first error event.
    pub fn error(&self) -> Option<&ErrorObject> {
        match self {
            Self::Failure { error, .. } | Self::Whole { error, .. } => error.as_ref(),
            Self::Stream(stream) => stream.errors.first().map(|(_, error)| error),
            Self::Session(session) => session.error(),
            Self::Nothing(_) => None,
        }
    }

    /// The content.
    pub fn completion(&self) -> Option<&Completion> {
        match self {
            Self::Whole { completion, .. } => completion.as_ref(),
            Self::Stream(stream) => Some(&stream.completion),
            Self::Session(session) => Some(&session.completion),
            _ => None,
        }
    }

    /// The response in one line, for findings.
    pub fn describe(&self) -> String {
        match self {
            Self::Nothing(ending) => format!("no response: {ending}"),
            Self::Failure { status, error: Some(error), .. } => {
                format!("{status}, {}", excerpt(&error.message))
            }
            Self::Failure { status, .. } => format!("{status} without an error object"),
            Self::Whole { status, error: Some(error), .. } => {
                format!("{status} with an error object: {}", excerpt(&error.message))
            }
            Self::Whole { status, undecodable: Some(why), .. } => {
                format!("{status} with a body that no client can decode: {why}")
            }
            Self::Whole { status, completion: Some(_), .. } => format!("{status} with a completion"),
            Self::Whole { status, complete: false, .. } => format!("{status} with an incomplete body"),
            Self::Whole { status: status @ (204 | 205), .. } => format!("{status} without a body"),
            Self::Whole { status, .. } => format!("{status} with a body that is not a completion"),
            Self::Stream(stream) => stream.describe(),
            Self::Session(session) => session.describe(),
        }
    }
}

impl CallerStream {
    fn describe(&self) -> String {
        let mut parts = vec![format!(
            "{}, a stream with {} pieces of content",
            self.status,
            self.completion.pieces.len()
        )];
        if let Some(finish) = &self.completion.finish {
            parts.push(format!("finish_reason `{finish}`"));
        }
        if let Some((_, error)) = self.errors.first() {
            parts.push(format!("{} error event(s): {}", self.errors.len(), excerpt(&error.message)));
        }
        if self.done {
            parts.push(dialect::terminator(self.api).unwrap_or("[DONE]").to_owned());
        }
        parts.extend(self.damage.clone());
        parts.push(match (self.unending, self.complete) {
            _ if self.left => "until the caller left".to_owned(),
            (true, _) => "never ended".to_owned(),
            (false, true) => "ended properly".to_owned(),
            (false, false) => "connection cut".to_owned(),
        });
        parts.join(", ")
    }
}

/// The error object in the body of a response with an error status.
fn error(api: Api, value: &Value, answer: &Response) -> Option<ErrorObject> {
    if ErrorForm::of(api).is_nested() {
        return dialect::nested_error(value);
    }
    dialect::any_error(value, answer.header("x-amzn-errortype"))
}

fn stream(answer: &Response, api: Api, frames: &[ReceivedFrame]) -> CallerStream {
    let mut stream = CallerStream {
        api,
        status: answer.status,
        completion: Completion::default(),
        done: false,
        errors: Vec::new(),
        odd: Vec::new(),
        complete: answer.ending == ResponseEnd::Complete,
        unending: answer.ending == ResponseEnd::Deadline,
        left: answer.ending == ResponseEnd::Left,
        damage: answer.body.damage.clone(),
    };
    for frame in frames {
        let name = frame.event.as_deref();
        match dialect::event(api, name, &frame.data) {
            StreamEvent::Chunk { content, finish } => stream.completion.add(content, finish),
            // Some dialects repeat the error when they close the stream.
            StreamEvent::Error(_)
                if !stream.errors.is_empty() && dialect::closes_error(api, name, &frame.data) => {}
            StreamEvent::Error(error) => stream.errors.push((frame.at_ms, error)),
            StreamEvent::Done => stream.done = true,
            StreamEvent::Odd(text) => stream.odd.push(text),
        }
    }
    stream
}
