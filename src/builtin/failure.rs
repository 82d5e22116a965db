//! A failed attempt, as it will be told to the caller.

use bytes::Bytes;

use super::{
    dialect::{DialectError, ErrorForm},
    envelope, headers,
};

/// What a caller is told when there is no success to pass on.
#[derive(Debug, Clone)]
pub(super) struct CallFailure {
    /// Who or what failed.
    pub cause: Cause,
    /// The status that the caller gets.
    pub status: u16,
    /// The error, in whoever's words.
    pub error: DialectError,
    /// Headers for the caller.
    pub headers: Vec<(String, String)>,
    /// What the upstream really sent; the honest proxy never shows it.
    pub raw: Option<Box<RawUpstreamReply>>,
}

/// An upstream answer before anything was made of it.
#[derive(Debug, Clone)]
pub(super) struct RawUpstreamReply {
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
}

/// Who or what failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The caller: wrong key, unknown model, bad JSON.
    Caller,
    /// The upstream answered with this status, 400 to 599.
    Status(u16),
    /// The upstream answered with a status that is none for an API, such as a redirect.
    OddStatus,
    /// The upstream did not answer in time.
    Timeout,
    /// No connection came about.
    Unreachable,
    /// The connection was lost before the answer was whole.
    Disconnected,
    /// A 200 whose body is no completion.
    OddBody,
    /// A stream under 200 that begins with an error event.
    FirstEvent,
    /// The upstream was not asked, since it failed a moment ago.
    CoolingDown,
}

impl CallFailure {
    /// A failure that the proxy words itself.
    pub fn own(
        cause: Cause,
        status: u16,
        kind: &str,
        code: Option<&str>,
        message: impl Into<String>,
    ) -> Self {
        let told = DialectError::openai(envelope::error(message.into(), kind, code));
        Self { cause, status, error: told, headers: Vec::new(), raw: None }
    }

    /// The caller's own mistake.
    pub fn caller(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self::own(Cause::Caller, status, "invalid_request_error", Some(code), message)
    }

    pub fn timeout(limit: std::time::Duration) -> Self {
        let limit = humantime::format_duration(limit);
        let message = format!("The upstream did not answer within {limit}.");
        Self::own(Cause::Timeout, 504, envelope::UPSTREAM_ERROR, Some("timeout"), message)
    }

    pub fn unreachable() -> Self {
        let message = "The upstream could not be reached.";
        Self::own(Cause::Unreachable, 502, envelope::UPSTREAM_ERROR, Some("upstream_unreachable"), message)
    }

    pub fn disconnected() -> Self {
        let message = "The upstream closed the connection before its answer was complete.";
        Self::own(Cause::Disconnected, 502, envelope::UPSTREAM_ERROR, Some("upstream_disconnected"), message)
    }

    /// The same in the words that callers of this family know.
    pub fn into_family(mut self, family: ErrorForm) -> Self {
        let is_foreign = self.error.family != family;
        self.error = self.error.into_family(family, self.status);
        if family == ErrorForm::Anthropic && is_foreign {
            // Its body names the request, wherever the upstream did.
            let id = headers::REQUEST_IDS.iter().find_map(|name| self.header(name)).map(str::to_owned);
            self.error.around.extend(id.map(|id| ("request_id".to_owned(), id.into())));
        }
        self
    }

    /// Whether it came as an answer from an upstream, so that its detail is worth more to the
    /// caller than a sentence of the proxy.
    pub fn is_upstreams_own(&self) -> bool {
        matches!(self.cause, Cause::Status(_) | Cause::FirstEvent | Cause::OddBody | Cause::CoolingDown)
    }

    /// Whether the upstream said itself what is wrong: not where the proxy can only say what it saw.
    pub fn is_in_the_upstreams_words(&self) -> bool {
        let is_seen = self.error.error.get("code").is_some_and(|code| code == envelope::INVALID_RESPONSE);
        self.is_upstreams_own() && !is_seen
    }

    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
