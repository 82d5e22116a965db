//! A session as its caller got it.

use serde_json::json;

use super::{
    dialect::{self, Completion, ErrorObject, Family, StreamEvent},
    told::shorten,
};
use crate::{
    observation::{Answer, Closed, Ending},
    scenario::Api,
};

/// What a caller was told in a WebSocket session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionTold {
    /// Content and how the answer ended.
    pub completion: Completion,
    /// The error events, each with its time in milliseconds.
    pub errors: Vec<(f64, ErrorObject)>,
    /// Messages that are no events of the dialect.
    pub odd: Vec<String>,
    /// The close frame of the proxy.
    pub closed: Option<Closed>,
    /// The same as an error, where it tells of one.
    closing: Option<ErrorObject>,
    /// How the connection ended.
    pub ending: Ending,
}

/// Whether a code says that all is well (RFC 6455 section 7.4.1): the session has served its purpose, or
/// its server goes away. Clients raise no error for them.
pub fn is_normal(code: Option<u16>) -> bool {
    matches!(code, Some(1000 | 1001))
}

impl SessionTold {
    /// Reads it from what came.
    pub(super) fn of(answer: &Answer, api: Api) -> Self {
        let mut told = Self {
            completion: Completion::default(),
            errors: Vec::new(),
            odd: Vec::new(),
            closing: answer.closed.as_ref().and_then(closing),
            closed: answer.closed.clone(),
            ending: answer.ending.clone(),
        };
        for frame in &answer.body.frames {
            match dialect::event(api, frame.event.as_deref(), &frame.data) {
                StreamEvent::Chunk { piece, finish } => {
                    told.completion.pieces.extend(piece);
                    told.completion.finish = finish.or(told.completion.finish);
                }
                StreamEvent::Error(error) => told.errors.push((frame.at_ms, error)),
                StreamEvent::Done => {}
                StreamEvent::Odd(text) => told.odd.push(text),
            }
        }
        told
    }

    /// The caller takes it for a success: it has its answer, and nothing said otherwise.
    pub fn looks_successful(&self) -> bool {
        self.completion.finish.is_some() && !self.shows_failure() && self.ending == Ending::Complete
    }

    /// The caller can see that something went wrong.
    pub fn shows_failure(&self) -> bool {
        !self.errors.is_empty() || self.was_cut() || self.closed_in_error()
    }

    /// It was still open when upfault gave up waiting.
    pub fn is_open(&self) -> bool {
        self.ending == Ending::Deadline
    }

    /// The connection ended without a close frame.
    pub fn was_cut(&self) -> bool {
        matches!(self.ending, Ending::Reset | Ending::Closed | Ending::Broken(_))
    }

    fn closed_in_error(&self) -> bool {
        self.closed.as_ref().is_some_and(|closed| closed.code.is_some() && !is_well(closed))
    }

    /// When it first showed that something went wrong, in milliseconds; `end_ms` is that of the exchange.
    pub fn failed_ms(&self, end_ms: f64) -> Option<f64> {
        let event = self.errors.first().map(|(at_ms, _)| *at_ms);
        event.or((self.was_cut() || self.closed.is_some()).then_some(end_ms))
    }

    /// The first error: an event, else a close frame that tells of one.
    pub fn error(&self) -> Option<&ErrorObject> {
        self.errors.first().map(|(_, error)| error).or(self.closing.as_ref())
    }

    /// In one line, for findings.
    pub fn describe(&self) -> String {
        let mut parts =
            vec![format!("101, a session with {} pieces of content", self.completion.pieces.len())];
        if let Some(finish) = &self.completion.finish {
            parts.push(format!("an answer that is `{finish}`"));
        }
        if let Some((_, error)) = self.errors.first() {
            parts.push(format!("{} error event(s): {}", self.errors.len(), shorten(&error.message)));
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

/// A code that says that all is well, or the answer to the caller's own goodbye.
fn is_well(closed: &Closed) -> bool {
    closed.answered || is_normal(closed.code)
}

fn closing(closed: &Closed) -> Option<ErrorObject> {
    (!is_well(closed)).then(|| ErrorObject {
        message: closed.reason.clone(),
        code: json!(closed.code),
        family: Family::Other,
        raw: json!({"code": closed.code, "reason": closed.reason}),
        ..ErrorObject::default()
    })
}
