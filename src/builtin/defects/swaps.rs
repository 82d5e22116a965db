//! Defects that swap parts of two concurrent requests.

use super::concurrent_requests::ConcurrentRequests;
use crate::{
    builtin::extension::{CallResult, Extension, Headers, RunningCall},
    proxy::ProxyRoute,
};

/// Swaps some results between two callers.
#[derive(Debug)]
pub(super) struct ResultsSwapped {
    requests: ConcurrentRequests<CallResult>,
    swaps: fn(&CallResult) -> bool,
    /// What the routes of two calls that are swapped have in common.
    shared: fn(&ProxyRoute) -> &str,
}

impl ResultsSwapped {
    /// Between the callers of any deployments of a case.
    pub(super) fn of_a_case(swaps: fn(&CallResult) -> bool) -> Self {
        Self { requests: ConcurrentRequests::default(), swaps, shared: |route| &route.group }
    }

    /// Between the callers of one deployment, whatever the results are.
    pub(super) fn of_a_deployment() -> Self {
        Self { requests: ConcurrentRequests::default(), swaps: |_| true, shared: |route| &route.model }
    }
}

impl Extension for ResultsSwapped {
    fn call<'c, 'r: 'c>(&'c self, route: &'r ProxyRoute, call: RunningCall<'c, 'r>) -> RunningCall<'c, 'r> {
        Box::pin(async move {
            let inside = self.requests.enter((self.shared)(route));
            let (result, by) = call.await;
            let result = if (self.swaps)(&result) { inside.swap(result).await } else { result };
            (result, by)
        })
    }
}

/// Swaps the headers of two errors.
#[derive(Debug, Default)]
pub(super) struct ErrorHeadersSwapped(ConcurrentRequests<Headers>);

impl Extension for ErrorHeadersSwapped {
    fn call<'c, 'r: 'c>(&'c self, route: &'r ProxyRoute, call: RunningCall<'c, 'r>) -> RunningCall<'c, 'r> {
        Box::pin(async move {
            let inside = self.0.enter(&route.group);
            let (mut result, by) = call.await;
            if let Err(failed) = &mut result {
                failed.failure.headers = inside.swap(failed.failure.headers.clone()).await;
            }
            (result, by)
        })
    }
}
