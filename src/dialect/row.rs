//! What is known about one client API.

use serde_json::Value;

use super::{
    error_form::ErrorForm,
    parsed::{Completion, StreamEvent},
    request_body::RequestBody,
};
use crate::wire::frames::Carrier;

/// What the requests, responses, errors and streams of a client API look like.
pub(crate) struct ApiRow {
    /// The path below a proxy's root. `{model}` is the placeholder for the model's name.
    pub path: &'static str,
    /// The path and query of a request for a stream, if it is not the body that asks for one.
    pub stream_path: Option<&'static str>,
    /// The headers of the API itself, with names in lower case.
    pub headers: &'static [(&'static str, &'static str)],
    /// The constant part of the smallest request that the API accepts. For a session, the event that the caller sends
    /// when the session is open.
    pub request: fn() -> RequestBody,
    /// How a successful response is parsed.
    pub response: ResponseReader,
    /// The form of error bodies.
    pub errors: ErrorForm,
    /// The stream of events, or the session; `None` for an API that has neither.
    pub stream: Option<StreamRow>,
}

/// How a successful response is parsed.
#[derive(Clone, Copy)]
pub(crate) enum ResponseReader {
    /// A body that is JSON.
    Json(fn(&Value) -> Option<Completion>),
    /// A body of any kind, with its content type.
    Bytes(fn(&[u8], Option<&str>) -> Option<Completion>),
    /// A session has no response.
    None,
}

/// What the stream of a client API looks like.
pub(crate) struct StreamRow {
    /// The stream format that the API's own SDKs parse, regardless of the content type.
    pub carrier: Carrier,
    /// Whether a request that does not mention streams gets one.
    pub is_default: bool,
    /// Whether each event contains its type in the member `type`.
    pub is_typed: bool,
    /// Parses one event from its name, if it has one, and its data.
    pub event: fn(Option<&str>, &str) -> StreamEvent,
    /// The form of an error event.
    pub error_event: ErrorEventForm,
    /// The events that report a response as finished, with the least content.
    pub finish: &'static [SampleEvent],
    /// Whether the response is complete after them, so that nothing follows.
    pub ends_with_finish: bool,
    /// The terminator that follows them; `None` if the API has none.
    pub terminator: Option<SampleEvent>,
    /// The name of the terminator, if the API's clients wait for it.
    pub awaited_terminator: Option<&'static str>,
}

/// An event that a provider can send: its name, if it has one, and its data.
#[derive(Clone, Copy)]
pub(crate) struct SampleEvent(pub Option<&'static str>, pub &'static str);

/// The form of an error event in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorEventForm {
    /// An event without a name that contains the same error object as a body.
    Body,
    /// An event `error` that contains the same error object as a body.
    Named,
    /// An event of type `error` with a sequence number. The error object is nested as in recordings, or flat as in
    /// OpenAI's published schema, or part of a failed response.
    Typed,
    /// An exception of an AWS event stream.
    Exception,
    /// The event that ends the message, with a reason that begins with `ERROR`.
    MessageEnd,
}

impl StreamRow {
    /// Server-sent events whose errors have the form of a body, without a terminator. Each row sets at least `event` and
    /// `finish`.
    pub(super) const SSE: Self = Self {
        carrier: Carrier::Sse,
        is_default: false,
        is_typed: false,
        event: |_, data| StreamEvent::Odd(data.to_owned()),
        error_event: ErrorEventForm::Body,
        finish: &[],
        ends_with_finish: false,
        terminator: None,
        awaited_terminator: None,
    };
}

impl ApiRow {
    /// An API whose request is JSON and whose response is one body.
    pub(super) const fn whole(
        path: &'static str,
        errors: ErrorForm,
        request: fn() -> RequestBody,
        response: ResponseReader,
    ) -> Self {
        Self { path, stream_path: None, headers: &[], request, response, errors, stream: None }
    }

    /// The path of a request, with its query.
    pub(crate) fn path(&self, stream: bool) -> &'static str {
        self.stream_path.filter(|_| stream).unwrap_or(self.path)
    }

    /// The form of an error event; for an API without a stream, the form in a stream that was not requested.
    pub(crate) fn error_event(&self) -> ErrorEventForm {
        self.stream.as_ref().map_or(ErrorEventForm::Body, |stream| stream.error_event)
    }

    /// The query of a request.
    pub(crate) fn query(&self, stream: bool) -> Option<&'static str> {
        self.path(stream).split_once('?').map(|(_, query)| query)
    }
}
