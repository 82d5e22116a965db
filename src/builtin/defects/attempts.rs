//! Defects in how upstreams are called: timeouts, retries, fallbacks, and steps that are taken or left out.

use std::time::Duration;

use crate::{
    builtin::{
        extension::{Extension, Headers, ProxyStep, RunningCall, Unextended},
        failure::{CallFailure, Cause, FailedCall},
        upstream_request::CallerRequest,
    },
    proxy::ProxyRoute,
};

/// Takes a step that the proxy leaves out, or leaves out one that it takes.
#[derive(Debug)]
pub(super) struct StepChanged(pub ProxyStep);

impl Extension for StepChanged {
    fn takes(&self, step: ProxyStep) -> bool {
        Unextended.takes(step) != (step == self.0)
    }
}

/// Never answers a caller after an upstream 503.
#[derive(Debug)]
pub(super) struct SilentOn503;

impl Extension for SilentOn503 {
    fn call<'c, 'r: 'c>(&'c self, _: &'r ProxyRoute, call: RunningCall<'c, 'r>) -> RunningCall<'c, 'r> {
        Box::pin(async move {
            match call.await {
                (Err(failed), _) if failed.failure.cause == Cause::Status(503) => {
                    std::future::pending().await
                }
                result => result,
            }
        })
    }
}

/// Fails a call whose response has many headers or a long one.
#[derive(Debug)]
pub(super) struct LargeHeadRefused;

impl Extension for LargeHeadRefused {
    fn call<'c, 'r: 'c>(&'c self, _: &'r ProxyRoute, call: RunningCall<'c, 'r>) -> RunningCall<'c, 'r> {
        Box::pin(async move {
            match call.await {
                (Ok(mut success), route) => {
                    let headers = success.headers_mut();
                    let is_large = headers.len() > 50 || headers.iter().any(|(_, value)| value.len() > 2000);
                    let failed = || FailedCall { failure: CallFailure::disconnected(), routes: 1 };
                    (if is_large { Err(failed()) } else { Ok(success) }, route)
                }
                failed => failed,
            }
        })
    }
}

/// Ignores the timeout of a route.
#[derive(Debug)]
pub(super) struct WithoutTimeout;

impl Extension for WithoutTimeout {
    fn timeout(&self, _: Duration) -> Option<Duration> {
        None
    }
}

/// Retries a failure once more than allowed.
#[derive(Debug)]
pub(super) struct ExtraRetry;

impl Extension for ExtraRetry {
    fn retries(&self, _: &CallFailure, may_pass: bool, allowed: u32) -> u32 {
        if may_pass { allowed.saturating_add(1) } else { 0 }
    }
}

/// Retries an error that a retry cannot fix.
#[derive(Debug)]
pub(super) struct UselessRetries;

impl Extension for UselessRetries {
    fn retries(&self, failure: &CallFailure, may_pass: bool, allowed: u32) -> u32 {
        match failure.cause {
            _ if may_pass => allowed,
            Cause::Status(_) => 2,
            _ => 0,
        }
    }
}

/// Tries the fallback after an error that blames the request.
#[derive(Debug)]
pub(super) struct BadRequestFallsBack;

impl Extension for BadRequestFallsBack {
    fn falls_back(&self, failure: &CallFailure, allowed: bool) -> bool {
        allowed || matches!(failure.status, 400 | 422)
    }
}

/// Adds the headers of a failed attempt to the success after it.
#[derive(Debug)]
pub(super) struct FailedHeadersKept;

impl Extension for FailedHeadersKept {
    fn success_after(&self, failure: &CallFailure, upstream: &mut Headers) {
        upstream.retain(|(name, _)| failure.header(name).is_none());
        upstream.extend(failure.headers.iter().cloned());
    }
}

/// Never retries calls for a stream.
#[derive(Debug)]
pub(super) struct StreamsTriedOnce;

impl Extension for StreamsTriedOnce {
    fn route_retries(&self, route: &ProxyRoute, call: &CallerRequest) -> u32 {
        if call.stream { 0 } else { route.settings.retries }
    }
}

/// Continues a cut stream.
#[derive(Debug)]
pub(super) enum CutContinued {
    /// On the same route.
    SameRoute,
    /// On the first fallback.
    Fallback,
}

impl Extension for CutContinued {
    fn continuation<'r>(&self, route: &'r ProxyRoute) -> Option<&'r str> {
        match self {
            Self::SameRoute => Some(&route.model),
            Self::Fallback => route.fallbacks.first().map(String::as_str),
        }
    }
}
