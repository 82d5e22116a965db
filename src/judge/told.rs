//! What the caller was told, in the caller's own dialect.

use serde_json::Value;

use super::{
    dialect::{self, Completion, ErrorObject, StreamEvent},
    session::SessionTold,
};
use crate::{
    observation::{Answer, Ending, Exchange, Frame, Outcome},
    scenario::{Api, Provider},
    wire::frames::Carrier,
};

/// What the caller was told.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// No status line ever came.
    Nothing(Ending),
    /// A status that is no success.
    Failure {
        /// 1xx or 3xx–5xx.
        status: u16,
        /// The body as JSON, where it is JSON.
        body: Option<Value>,
        /// The error object, where there is one.
        error: Option<ErrorObject>,
    },
    /// 2xx with a whole body.
    Whole {
        /// `None` if the body is no completion.
        completion: Option<Completion>,
        /// An error object under 2xx.
        error: Option<ErrorObject>,
        /// Whether all of the body came.
        complete: bool,
    },
    /// 2xx with an event stream.
    Stream(StreamTold),
    /// 101 with a session behind it.
    Session(SessionTold),
}

/// A stream as the caller got it.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamTold {
    /// Which endpoint was called.
    pub api: Api,
    /// Content and finish reason.
    pub completion: Completion,
    /// Whether the dialect's terminator came: `[DONE]`, `message_stop`.
    pub done: bool,
    /// The error events, each with its time in milliseconds.
    pub errors: Vec<(f64, ErrorObject)>,
    /// Frames that are neither chunk, error nor terminator.
    pub odd: Vec<String>,
    /// Whether the HTTP framing came to its end; otherwise the connection was cut, or is still open.
    pub complete: bool,
    /// Whether it was still open when upfault gave up waiting.
    pub unending: bool,
    /// Whether the caller left before its end.
    pub left: bool,
    /// What made the rest of it unreadable: the caller's own reader fails there.
    pub damage: Option<String>,
}

impl StreamTold {
    /// The caller takes it for a finished answer.
    pub fn looks_finished(&self) -> bool {
        let finish = self.completion.finish.as_deref();
        // A `[DONE]` in a dialect that has none ends nothing: its clients pass it over.
        let done = self.done && dialect::terminator(self.api).is_some();
        self.errors.is_empty()
            && self.damage.is_none()
            && finish != Some("error")
            && (finish.is_some() || done)
    }

    /// The caller can see that something went wrong.
    pub fn shows_failure(&self) -> bool {
        !self.errors.is_empty()
            || self.damage.is_some()
            || (!self.complete && !self.unending && !self.left)
            || self.completion.finish.as_deref() == Some("error")
    }
}

impl Told {
    /// Reads it from what came back, in the dialect of the endpoint that was called.
    pub fn of(exchange: &Exchange, api: Api) -> Self {
        let answer = match &exchange.outcome {
            Outcome::NoAnswer { ending } => return Self::Nothing(ending.clone()),
            Outcome::Answer(answer) => answer,
        };
        if answer.carrier() == Some(Carrier::WebSocket) {
            return Self::Session(SessionTold::of(answer, api));
        }
        let body = || serde_json::from_str::<Value>(&answer.body.text).ok();
        if !(200..300).contains(&answer.status) {
            let body = body();
            let error = body.as_ref().and_then(|value| error(api, value, answer));
            return Self::Failure { status: answer.status, body, error };
        }
        // One that does not say what it is was read as the API's own clients read it.
        if answer.carrier().is_some() || !answer.body.frames.is_empty() {
            return Self::Stream(stream(answer, api, &answer.body.frames));
        }
        if let Some(elements) = dialect::elements(api, &answer.body.text) {
            let frame = |data| Frame { at_ms: exchange.end_ms, event: None, data };
            let frames: Vec<Frame> = elements.into_iter().map(frame).collect();
            return Self::Stream(stream(answer, api, &frames));
        }
        Self::Whole {
            completion: dialect::completion(api, answer.body.text.as_bytes(), answer.header("content-type")),
            error: body().as_ref().and_then(dialect::nested_error),
            complete: answer.ending == Ending::Complete,
        }
    }

    /// The caller takes it for a success.
    pub fn looks_successful(&self) -> bool {
        match self {
            Self::Whole { completion, error, complete } => {
                *complete && completion.is_some() && error.is_none()
            }
            Self::Stream(stream) => stream.looks_finished() && stream.complete,
            Self::Session(session) => session.looks_successful(),
            Self::Nothing(_) | Self::Failure { .. } => false,
        }
    }

    /// A status of 2xx.
    pub fn is_2xx(&self) -> bool {
        matches!(self, Self::Whole { .. } | Self::Stream(_))
    }

    /// The status of a failure.
    pub fn failure_status(&self) -> Option<u16> {
        match self {
            Self::Failure { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The error object, wherever it stood: body, or first error event.
    pub fn error(&self) -> Option<&ErrorObject> {
        match self {
            Self::Failure { error, .. } | Self::Whole { error, .. } => error.as_ref(),
            Self::Stream(stream) => stream.errors.first().map(|(_, error)| error),
            Self::Session(session) => session.error(),
            Self::Nothing(_) => None,
        }
    }

    /// What came as content.
    pub fn completion(&self) -> Option<&Completion> {
        match self {
            Self::Whole { completion, .. } => completion.as_ref(),
            Self::Stream(stream) => Some(&stream.completion),
            Self::Session(session) => Some(&session.completion),
            _ => None,
        }
    }

    /// In one line, for findings.
    pub fn describe(&self) -> String {
        match self {
            Self::Nothing(ending) => format!("no answer: {ending}"),
            Self::Failure { status, error: Some(error), .. } => {
                format!("{status}, {}", shorten(&error.message))
            }
            Self::Failure { status, .. } => format!("{status} without an error object"),
            Self::Whole { error: Some(error), .. } => {
                format!("200 with an error object: {}", shorten(&error.message))
            }
            Self::Whole { completion: Some(_), .. } => "200 with a completion".to_owned(),
            Self::Whole { completion: None, complete: false, .. } => {
                "200 with a body that broke off".to_owned()
            }
            Self::Whole { completion: None, .. } => "200 with a body that is no completion".to_owned(),
            Self::Stream(stream) => stream.describe(),
            Self::Session(session) => session.describe(),
        }
    }
}

impl StreamTold {
    fn describe(&self) -> String {
        let mut parts =
            vec![format!("200, a stream with {} pieces of content", self.completion.pieces.len())];
        if let Some(finish) = &self.completion.finish {
            parts.push(format!("finish_reason `{finish}`"));
        }
        if let Some((_, error)) = self.errors.first() {
            parts.push(format!("{} error event(s): {}", self.errors.len(), shorten(&error.message)));
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

/// The error object of an answer by status. Only where the dialect itself writes errors flat, or in an
/// array, are they read so: a client of another one finds nothing there.
fn error(api: Api, value: &Value, answer: &Answer) -> Option<ErrorObject> {
    match api.native_provider() {
        Provider::Bedrock | Provider::Cohere | Provider::Gemini => {
            dialect::any_error(value, answer.header("x-amzn-errortype"))
        }
        _ => dialect::nested_error(value),
    }
}

fn stream(answer: &Answer, api: Api, frames: &[Frame]) -> StreamTold {
    let mut told = StreamTold {
        api,
        completion: Completion::default(),
        done: false,
        errors: Vec::new(),
        odd: Vec::new(),
        complete: answer.ending == Ending::Complete,
        unending: answer.ending == Ending::Deadline,
        left: answer.ending == Ending::Left,
        damage: answer.body.damage.clone(),
    };
    for frame in frames {
        let name = frame.event.as_deref();
        match dialect::event(api, name, &frame.data) {
            StreamEvent::Chunk { piece, finish } => {
                told.completion.pieces.extend(piece);
                told.completion.finish = finish.or(told.completion.finish);
            }
            // Some dialects say it again when they close.
            StreamEvent::Error(_)
                if !told.errors.is_empty() && dialect::closes_error(api, name, &frame.data) => {}
            StreamEvent::Error(error) => told.errors.push((frame.at_ms, error)),
            StreamEvent::Done => told.done = true,
            StreamEvent::Odd(text) => told.odd.push(text),
        }
    }
    told
}

/// At most 200 characters of a text.
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(200) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
