//! What an extension can change about the proxy. Each method has a default, which is what the proxy does without an
//! extension. The only extensions are the [defects](super::defects) and the [honest variants](super::variants).

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use serde_json::Value;
use tungstenite::{Message, protocol::CloseFrame};

use super::{
    attempt::Success,
    dialect::{self, DialectError, ErrorForm, TypedStream},
    failure::{CallFailure, FailedCall},
    reply::{BodyPieces, ProxyReply, SessionSource},
    stream::{Reader, StreamPiece},
    tasks::Tasks,
    upstream_request::CallerRequest,
};
use crate::{proxy::ProxyRoute, scenario::Api};

/// The headers of a message.
pub(super) type Headers = Vec<(String, String)>;

/// The result of a call.
pub(super) type CallResult = Result<Success, FailedCall>;

/// A call under way: its result, and the route that gave it.
pub(super) type RunningCall<'c, 'r> = BoxFuture<'c, (CallResult, &'r ProxyRoute)>;

/// A step that the proxy takes or leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProxyStep {
    /// Rejects a request without the proxy's key.
    CheckKey,
    /// Undoes the content coding of a response.
    Decompress,
    /// Reads a body as its Content-Encoding and Content-Type say.
    TrustBodyHeaders,
    /// Rejects an upstream whose certificate is not valid.
    CheckCertificate,
    /// Waits for Retry-After before a retry.
    WaitForRetry,
    /// Tries the fallbacks of a route that failed.
    FallBack,
    /// Tries the next fallback after a success. Not taken without an extension.
    FallBackAfterSuccess,
    /// Follows a redirect of an upstream, with all headers. Not taken without an extension.
    FollowRedirect,
    /// Puts a whole group into cooldown when one of its deployments fails. Not taken without an extension.
    CoolGroup,
}

/// What is known about a failed call.
#[derive(Debug)]
pub(super) struct FailureContext<'a> {
    /// The requested route, even if a fallback failed.
    pub route: &'a ProxyRoute,
    /// The API that the caller requested.
    pub api: Api,
    pub stream: bool,
    /// The number of routes that were tried.
    pub routes: usize,
    /// The key that callers send to the proxy.
    pub proxy_key: &'a str,
}

/// How the session with a caller ends after the upstream has ended it.
pub(super) enum SessionEnd {
    /// With a close frame.
    Close {
        /// An event to send before the close frame.
        before: Option<Value>,
        frame: CloseFrame,
    },
    /// The connection is closed without a close frame.
    Cut,
    /// The session stays open and silent.
    Silence,
}

/// An extension of the proxy. One instance serves all requests.
#[expect(unused_variables, reason = "a default needs only what it returns")]
pub(super) trait Extension: fmt::Debug + Send + Sync {
    /// Runs a request until its reply begins.
    fn request(
        &self,
        tasks: &Tasks,
        reply: BoxFuture<'static, ProxyReply>,
    ) -> BoxFuture<'static, ProxyReply> {
        reply
    }

    /// Whether the proxy takes a step.
    fn takes(&self, step: ProxyStep) -> bool {
        !matches!(step, ProxyStep::FallBackAfterSuccess | ProxyStep::FollowRedirect | ProxyStep::CoolGroup)
    }

    /// Changes the rejection of an invalid request, and the form in which it is written.
    fn rejection(&self, failure: &mut CallFailure, form: &mut ErrorForm) {}

    /// Runs a call.
    fn call<'c, 'r: 'c>(&'c self, route: &'r ProxyRoute, call: RunningCall<'c, 'r>) -> RunningCall<'c, 'r> {
        call
    }

    /// The success of an earlier request that answers this one as well.
    fn kept(&self, route: &ProxyRoute, call: &CallerRequest) -> Option<Success> {
        None
    }

    /// Takes note of a success.
    fn keep(&self, route: &ProxyRoute, call: &CallerRequest, success: &Success) {}

    /// Changes a failure that an upstream caused, before it is written.
    fn failure(&self, failure: &mut CallFailure, context: &FailureContext<'_>) {}

    /// A reply in place of a failure.
    fn reply_instead(&self, failure: &CallFailure, context: &FailureContext<'_>) -> Option<ProxyReply> {
        None
    }

    /// A session in place of a refused handshake.
    fn session_instead(&self, failure: &CallFailure) -> Option<SessionSource> {
        None
    }

    /// Changes the headers that are passed on. `upstream` contains every header that the upstream sent.
    fn head(&self, passed: &mut Headers, upstream: &Headers, route: &ProxyRoute) {}

    /// Changes the proxy's own headers of a stream.
    fn stream_head(&self, headers: &mut Headers) {}

    /// Changes a part of a successful response: a complete body, or one event of a stream.
    fn content(&self, bytes: Bytes) -> Bytes {
        bytes
    }

    /// The timeout of an attempt, and of each pause in its stream; `None` for none. Not asked if the route has no timeout.
    fn timeout(&self, configured: Duration) -> Option<Duration> {
        Some(configured)
    }

    /// The number of retries that a route allows for a call.
    fn route_retries(&self, route: &ProxyRoute, call: &CallerRequest) -> u32 {
        route.settings.retries
    }

    /// The total number of retries on the route, given the latest failure. `may_pass` says whether a retry could succeed, and
    /// `allowed` is what `route_retries` returned.
    fn retries(&self, failure: &CallFailure, may_pass: bool, allowed: u32) -> u32 {
        if may_pass { allowed } else { 0 }
    }

    /// Whether the next fallback is tried after a failure. `allowed` says whether the proxy would try it.
    fn falls_back(&self, failure: &CallFailure, allowed: bool) -> bool {
        allowed
    }

    /// Changes the headers of an upstream's success that followed a failed attempt of the same call.
    fn success_after(&self, failure: &CallFailure, upstream: &mut Headers) {}

    /// A failure in place of the next attempt at a route.
    fn attempt_instead(&self, route: &ProxyRoute) -> Option<CallFailure> {
        None
    }

    /// Takes note of a failed attempt; for a stream, also of one that failed after it began.
    fn attempt_failed(&self, route: &ProxyRoute, failure: &CallFailure, call: &CallerRequest) {}

    /// The task to run if the caller leaves while a route is tried. `again` sends the request once more.
    fn when_left(
        &self,
        route: &ProxyRoute,
        again: &dyn Fn() -> BoxFuture<'static, ()>,
    ) -> Option<BoxFuture<'static, ()>> {
        None
    }

    /// Whether a failure counts towards the cooldown of its route.
    fn counts(&self, failure: &CallFailure, may_pass: bool) -> bool {
        may_pass
    }

    /// How long the cooldown lasts that a failure starts.
    fn cooldown(&self, configured: Duration, failure: &CallFailure) -> Duration {
        configured
    }

    /// Whether a cooldown ends when its time is over.
    fn ends_cooldown(&self) -> bool {
        true
    }

    /// Changes the failure for a call to a route in cooldown, which `cause` started.
    fn in_cooldown(&self, refusal: &mut CallFailure, cause: &CallFailure) {}

    /// The extension of one stream, if it has one.
    fn stream(&self, api: Api, route: &ProxyRoute) -> Option<Box<dyn StreamExtension>> {
        None
    }

    /// The model whose route continues a cut stream. Asked at most once per stream.
    fn continuation<'r>(&self, route: &'r ProxyRoute) -> Option<&'r str> {
        None
    }

    /// The last event of a stream that began with pings before its call failed; `None` ends the stream without one.
    fn pinged_failure(&self, api: Api, error: DialectError, status: u16) -> Option<Bytes> {
        Some(dialect::error_frame(api, error, status, &TypedStream::default()))
    }

    /// Changes the status and the headers on a pass-through route. `upstream` contains every header that the upstream
    /// sent.
    fn passed_head(&self, status: &mut u16, passed: &mut Headers, upstream: &HeaderMap) {}

    /// The body on a pass-through route.
    fn passed_body(&self, is_stream: bool, pieces: BodyPieces) -> BodyPieces {
        pieces
    }

    /// The event of a session to pass on, if any.
    fn session_event(&self, text: String) -> Option<String> {
        Some(text)
    }

    /// Whether the session is closed normally in place of passing this message on.
    fn closes_instead(&self, message: &Message) -> bool {
        false
    }

    /// How the session with the caller ends. `frame` is the close frame of the upstream, or the proxy's own if there was none.
    fn session_end(&self, frame: CloseFrame) -> SessionEnd {
        SessionEnd::Close { before: None, frame }
    }
}

/// What an extension changes in one stream.
pub(super) trait StreamExtension: fmt::Debug + Send {
    /// Returns the pieces to send in place of `piece`.
    fn pieces(&mut self, piece: StreamPiece) -> Vec<StreamPiece> {
        vec![piece]
    }

    /// Whether the proxy goes on reading the upstream's stream after its last piece.
    fn reads_on(&self, piece: &StreamPiece) -> bool {
        !piece.kind.is_last()
    }

    /// Returns the last piece of an upstream stream that stopped.
    fn stopped(&mut self, piece: StreamPiece, _reader: &Reader) -> StreamPiece {
        piece
    }

    /// Whether the stream stays open after its last piece.
    fn stays_open(&self) -> bool {
        false
    }
}

/// No extension.
#[derive(Debug)]
pub(super) struct Unextended;

impl Extension for Unextended {}
