//! A WebSocket session as the caller got it.

use serde_json::json;

use crate::{
    dialect::{self, Completion, ErrorObject, StreamEvent, Vocabulary},
    observation::{ReceivedClose, Response, ResponseEnd, excerpt},
    scenario::Api,
};

/// A WebSocket session as the caller got it.
#[derive(Debug, Clone, PartialEq)]
pub struct CallerSession {
    /// Content and finish reason.
    pub completion: Completion,
    /// The error events with their times in milliseconds.
    pub errors: Vec<(f64, ErrorObject)>,
    /// Messages that are not events of the dialect.
    pub odd: Vec<String>,
    /// The close frame from the proxy.
    pub closed: Option<ReceivedClose>,
    /// The close frame as an error, if its code is one.
    closing: Option<ErrorObject>,
    /// How the connection ended.
    pub ending: ResponseEnd,
}

/// Whether a close code is not an error (RFC 6455 section 7.4.1): normal closure, or the server is going away.
pub(super) fn is_normal(code: Option<u16>) -> bool {
    matches!(code, Some(1000 | 1001))
}

impl CallerSession {
    /// Parses the messages of a session.
    pub(super) fn of(answer: &Response, api: Api) -> Self {
        let mut session = Self {
            completion: Completion::default(),
            errors: Vec::new(),
            odd: Vec::new(),
            closing: answer.closed.as_ref().and_then(closing),
            closed: answer.closed.clone(),
            ending: answer.ending.clone(),
        };
        for frame in &answer.body.frames {
            match dialect::event(api, frame.event.as_deref(), &frame.data) {
                StreamEvent::Chunk { content, finish } => session.completion.add(content, finish),
                StreamEvent::Error(error) => session.errors.push((frame.at_ms, error)),
                StreamEvent::Done => {}
                StreamEvent::Odd(text) => session.odd.push(text),
            }
        }
        session
    }

    /// Whether the session looks like a success to the caller.
    pub fn looks_successful(&self) -> bool {
        self.completion.finish.is_some() && !self.shows_failure() && self.ending == ResponseEnd::Complete
    }

    /// Whether the caller can see a failure.
    pub fn shows_failure(&self) -> bool {
        !self.errors.is_empty() || self.was_cut() || self.closed_in_error()
    }

    /// Whether it was still open when upfault stopped waiting.
    pub fn is_open(&self) -> bool {
        self.ending == ResponseEnd::Deadline
    }

    /// Whether the connection ended without a close frame.
    pub fn was_cut(&self) -> bool {
        matches!(self.ending, ResponseEnd::Reset | ResponseEnd::Closed | ResponseEnd::Broken(_))
    }

    fn closed_in_error(&self) -> bool {
        self.closed.as_ref().is_some_and(|closed| closed.code.is_some() && !is_well(closed))
    }

    /// The time of the first visible failure in milliseconds. `end_ms` is the end of the exchange.
    pub fn failed_ms(&self, end_ms: f64) -> Option<f64> {
        let event = self.errors.first().map(|(at_ms, _)| *at_ms);
        event.or((self.was_cut() || self.closed.is_some()).then_some(end_ms))
    }

    /// The first error: from an event, or from the close frame.
    pub fn error(&self) -> Option<&ErrorObject> {
        self.errors.first().map(|(_, error)| error).or(self.closing.as_ref())
    }

    /// The session in one line, for findings.
    pub fn describe(&self) -> String {
        let mut parts =
            vec![format!("101, a session with {} pieces of content", self.completion.pieces.len())];
        if let Some(finish) = &self.completion.finish {
            parts.push(format!("response status `{finish}`"));
        }
        if let Some((_, error)) = self.errors.first() {
            parts.push(format!("{} error event(s): {}", self.errors.len(), excerpt(&error.message)));
        }
        parts.push(match &self.closed {
            Some(closed) if closed.answered => "closed by the caller".to_owned(),
            Some(closed) => format!("closed {closed}"),
            None if self.is_open() => "never ended".to_owned(),
            None if self.was_cut() => "connection cut".to_owned(),
            None => "closed by the caller".to_owned(),
        });
        parts.join(", ")
    }
}

/// Whether the close frame is normal, or answers the close frame of the caller.
fn is_well(closed: &ReceivedClose) -> bool {
    closed.answered || is_normal(closed.code)
}

fn closing(closed: &ReceivedClose) -> Option<ErrorObject> {
    (!is_well(closed)).then(|| ErrorObject {
        message: closed.reason.clone(),
        code: json!(closed.code),
        family: Vocabulary::Other,
        raw: json!({"code": closed.code, "reason": closed.reason}),
        ..ErrorObject::default()
    })
}
