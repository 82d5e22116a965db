//! Defects that show after an earlier failure of the route.

use bytes::Bytes;

use super::route_memory::RouteMemory;
use crate::{
    builtin::{
        attempt::Success,
        extension::{Extension, Headers, RunningCall},
        failure::{CallFailure, Cause, FailedCall},
    },
    proxy::ProxyRoute,
};

/// The headers with which a response asks the client to wait.
const WAITS: [&str; 2] = ["retry-after", "retry-after-ms"];

/// Adds the Retry-After of an earlier error to an error without one.
#[derive(Debug, Default)]
pub(super) struct StaleRetryAfter(RouteMemory<Headers>);

impl Extension for StaleRetryAfter {
    fn call<'c, 'r: 'c>(&'c self, route: &'r ProxyRoute, call: RunningCall<'c, 'r>) -> RunningCall<'c, 'r> {
        Box::pin(async move {
            let (mut result, by) = call.await;
            if let Err(FailedCall { failure, .. }) = &mut result {
                let is_wait = |(name, _): &&(String, String)| WAITS.contains(&name.as_str());
                let named: Headers = failure.headers.iter().filter(is_wait).cloned().collect();
                self.0.with(route, |waits| match named.is_empty() {
                    true => failure.headers.extend(waits.iter().cloned()),
                    false => *waits = named,
                });
            }
            (result, by)
        })
    }
}

/// Repeats the first error of a route for every later error with that status.
#[derive(Debug, Default)]
pub(super) struct StaleError(RouteMemory<Option<CallFailure>>);

impl Extension for StaleError {
    fn call<'c, 'r: 'c>(&'c self, route: &'r ProxyRoute, call: RunningCall<'c, 'r>) -> RunningCall<'c, 'r> {
        Box::pin(async move {
            let (mut result, by) = call.await;
            if let Err(FailedCall { failure, .. }) = &mut result
                && failure.is_from_upstream()
            {
                self.0.with(route, |first| {
                    let first = first.get_or_insert_with(|| failure.clone());
                    if first.status == failure.status {
                        failure.error = first.error.clone();
                    }
                });
            }
            (result, by)
        })
    }
}

/// After a lost connection, sends each caller of the route the response to the previous request.
#[derive(Debug, Default)]
pub(super) struct StaleResponse(RouteMemory<LastResponse>);

#[derive(Debug, Default)]
struct LastResponse {
    /// Whether a connection was lost.
    lost: bool,
    /// Status, headers and body.
    last: Option<(u16, Headers, Bytes)>,
}

impl Extension for StaleResponse {
    fn call<'c, 'r: 'c>(&'c self, route: &'r ProxyRoute, call: RunningCall<'c, 'r>) -> RunningCall<'c, 'r> {
        Box::pin(async move {
            let (mut result, by) = call.await;
            self.0.with(route, |before| match &mut result {
                Ok(Success::Whole { status, headers, body }) => {
                    let last = before.last.replace((*status, headers.clone(), body.clone()));
                    if let Some(last) = last.filter(|_| before.lost) {
                        (*status, *headers, *body) = last;
                    }
                }
                Err(failed) => before.lost |= failed.failure.cause == Cause::Disconnected,
                Ok(_) => {}
            });
            (result, by)
        })
    }
}

/// Fails every request on a route once enough of its calls have failed in a certain way.
#[derive(Debug)]
pub(super) struct RouteLost {
    failures: RouteMemory<u32>,
    counts: fn(&CallFailure) -> bool,
    after: u32,
    refusal: fn() -> CallFailure,
}

impl RouteLost {
    /// After a lost connection.
    pub(super) fn after_a_reset() -> Self {
        let counts = |failure: &CallFailure| failure.cause == Cause::Disconnected;
        Self { failures: RouteMemory::default(), counts, after: 1, refusal: CallFailure::disconnected }
    }

    /// After three errors, because each of them keeps its slot.
    pub(super) fn without_slots() -> Self {
        let refusal = || {
            let text = "Too many requests are under way on this route.";
            CallFailure::own(Cause::CoolingDown, 429, "rate_limit_error", None, text)
        };
        Self { failures: RouteMemory::default(), counts: |_| true, after: 3, refusal }
    }
}

impl Extension for RouteLost {
    fn call<'c, 'r: 'c>(&'c self, route: &'r ProxyRoute, call: RunningCall<'c, 'r>) -> RunningCall<'c, 'r> {
        Box::pin(async move {
            if self.failures.with(route, |failures| *failures >= self.after) {
                return (Err(FailedCall { failure: (self.refusal)(), routes: 1 }), route);
            }
            let (result, by) = call.await;
            if let Err(failed) = &result
                && (self.counts)(&failed.failure)
            {
                self.failures.with(route, |failures| *failures += 1);
            }
            (result, by)
        })
    }
}
