//! A failed attempt, and the error response for the caller.

use bytes::Bytes;

use super::{
    dialect::{DialectError, ErrorForm},
    envelope, headers,
};

/// The error response that a caller gets if no attempt succeeded.
#[derive(Debug, Clone)]
pub(super) struct CallFailure {
    /// What failed.
    pub cause: Cause,
    /// The status that the caller gets.
    pub status: u16,
    /// The error: the upstream's or the proxy's own.
    pub error: DialectError,
    /// Headers for the caller.
    pub headers: Vec<(String, String)>,
    /// The response of the upstream, unchanged; the honest proxy never sends it.
    pub raw: Option<Box<RawUpstreamReply>>,
}

/// An upstream response, unchanged.
#[derive(Debug, Clone)]
pub(super) struct RawUpstreamReply {
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The request is invalid: wrong key, unknown model, bad JSON.
    Caller,
    /// The upstream answered with this status, 400 to 599.
    Status(u16),
    /// The upstream answered with a status that an API does not use, such as a redirect.
    OddStatus,
    /// The upstream did not answer in time.
    Timeout,
    /// No connection to the upstream could be opened.
    Unreachable,
    /// The connection was lost before the response was complete.
    Disconnected,
    /// The upstream answered 200 with a body that is not a valid response of its API.
    OddBody,
    /// The upstream answered 200 with a stream that begins with an error event.
    FirstEvent,
    /// The route is in cooldown, so no request was sent to the upstream.
    CoolingDown,
}

/// The failure of a route and all of its fallbacks.
#[derive(Debug)]
pub(super) struct FailedCall {
    pub failure: CallFailure,
    /// The number of routes that were tried.
    pub routes: usize,
}

impl CallFailure {
    /// A failure with an error that the proxy writes itself.
    pub(super) fn own(
        cause: Cause,
        status: u16,
        kind: &str,
        code: Option<&str>,
        message: impl Into<String>,
    ) -> Self {
        let error = DialectError::openai(envelope::error(message.into(), kind, code));
        Self { cause, status, error, headers: Vec::new(), raw: None }
    }

    /// The failure for an invalid request.
    pub(super) fn caller(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self::own(Cause::Caller, status, "invalid_request_error", Some(code), message)
    }

    pub(super) fn timeout(limit: std::time::Duration) -> Self {
        let limit = humantime::format_duration(limit);
        let message = format!("The upstream did not answer within {limit}.");
        Self::own(Cause::Timeout, 504, envelope::UPSTREAM_ERROR, Some("timeout"), message)
    }

    pub(super) fn unreachable() -> Self {
        let message = "The upstream could not be reached.";
        Self::own(Cause::Unreachable, 502, envelope::UPSTREAM_ERROR, Some("upstream_unreachable"), message)
    }

    pub(super) fn disconnected() -> Self {
        let message = "The upstream closed the connection before its answer was complete.";
        Self::own(Cause::Disconnected, 502, envelope::UPSTREAM_ERROR, Some("upstream_disconnected"), message)
    }

    /// Converts the error to another form.
    pub(super) fn into_form(mut self, form: ErrorForm) -> Self {
        let is_foreign = self.error.form != form;
        self.error = self.error.into_form(form, self.status);
        if form == ErrorForm::Anthropic && is_foreign {
            // An error body of this form contains the request id, which the upstream sent in a header.
            let id = headers::REQUEST_IDS.iter().find_map(|name| self.header(name)).map(str::to_owned);
            self.error.around.extend(id.map(|id| ("request_id".to_owned(), id.into())));
        }
        self
    }

    /// Whether an upstream sent a response, whose detail is more useful to the caller than a message of the
    /// proxy. A route in cooldown counts too, since its
    /// failure repeats the one that started the cooldown.
    pub(super) fn is_from_upstream(&self) -> bool {
        matches!(self.cause, Cause::Status(_) | Cause::FirstEvent | Cause::OddBody | Cause::CoolingDown)
    }

    /// Whether the upstream itself sent the error. False if its response was invalid, so that the error is
    /// the proxy's own description of it.
    pub(super) fn has_upstream_error(&self) -> bool {
        let is_described =
            self.error.error.get("code").is_some_and(|code| code == envelope::INVALID_RESPONSE);
        self.is_from_upstream() && !is_described
    }

    /// The first header with this name (in lower case).
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
