//! Tries the route of a request, retries it, and tries its fallbacks, until one succeeds or all have failed.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::{
    attempt::{self, Success},
    extension::ProxyStep,
    failure::{CallFailure, FailedCall},
    retry,
    shared::ProxyShared,
    upstream_request::CallerRequest,
};
use crate::proxy::ProxyRoute;

/// Tries the route and then its fallbacks, each with the number of retries that it allows.
///
/// # Errors
///
/// If all routes failed: the first failure that contains an upstream's own error, else the first for which an
/// upstream sent a response, else the first.
pub(super) async fn run<'a>(
    shared: &'a Arc<ProxyShared>,
    route: &'a ProxyRoute,
    call: &CallerRequest,
) -> Result<(Success, &'a ProxyRoute), FailedCall> {
    let extension = &shared.extension;
    let fallbacks = route
        .fallbacks
        .iter()
        .filter(|_| extension.takes(ProxyStep::FallBack))
        .filter_map(|model| shared.route(model));
    let mut failures = Vec::new();
    let mut routes = std::iter::once(route).chain(fallbacks);
    while let Some(route) = routes.next() {
        match tries(shared, route, call).await {
            Ok((mut success, route)) => {
                if let Some(failure) = failures.last() {
                    extension.success_after(failure, success.headers_mut());
                }
                if let Some(next) = routes.next().filter(|_| extension.takes(ProxyStep::FallBackAfterSuccess))
                {
                    let _ = tries(shared, next, call).await;
                }
                return Ok((success, route));
            }
            Err(failure) => {
                let goes_on = extension.falls_back(&failure, retry::falls_back(&failure));
                failures.push(failure);
                if !goes_on {
                    break;
                }
            }
        }
    }
    let routes = failures.len();
    let first = |is: fn(&CallFailure) -> bool| failures.iter().position(is);
    let reported =
        first(CallFailure::has_upstream_error).or_else(|| first(CallFailure::is_from_upstream)).unwrap_or(0);
    Err(FailedCall { failure: failures.swap_remove(reported), routes })
}

async fn tries<'r>(
    shared: &'r Arc<ProxyShared>,
    route: &'r ProxyRoute,
    call: &CallerRequest,
) -> Result<(Success, &'r ProxyRoute), CallFailure> {
    let when_left = shared.extension.when_left(route, &|| again(shared, route, call));
    let when_left = when_left.map(|task| shared.tasks.spawn_on_drop(task));
    let result = tries_while_wanted(shared, route, call).await;
    if let Some(guard) = when_left {
        guard.disarm();
    }
    result
}

/// Sends the request once more, for no one.
fn again(shared: &Arc<ProxyShared>, route: &ProxyRoute, call: &CallerRequest) -> BoxFuture<'static, ()> {
    let (shared, route, call) = (shared.clone(), route.clone(), call.clone());
    Box::pin(async move {
        let _ = attempt::attempt(&shared.outbound, &route, &call, shared.limit(&route)).await;
    })
}

/// Tries the deployments of a group in turn, without those in cooldown; without a group the same one again.
async fn tries_while_wanted<'r>(
    shared: &'r ProxyShared,
    requested: &'r ProxyRoute,
    call: &CallerRequest,
) -> Result<(Success, &'r ProxyRoute), CallFailure> {
    let mut last = None;
    let mut members = shared.members(requested);
    let retries = shared.extension.route_retries(requested, call);
    for tried in 1.. {
        let open = members.iter().position(|member| shared.refusal(member).is_none()).unwrap_or(0);
        members.rotate_left(open);
        let route = members[0];
        members.rotate_left(1);
        let own = shared.extension.attempt_instead(route);
        if let Some(refusal) = own.or_else(|| shared.refusal(route)) {
            // An error that an upstream sent earlier in this request says more than the cooldown does.
            return Err(last.unwrap_or(refusal));
        }
        let result = attempt::attempt(&shared.outbound, route, call, shared.limit(route)).await;
        let failure = match result {
            Ok(mut success) => {
                if let Some(failure) = &last {
                    shared.extension.success_after(failure, success.headers_mut());
                }
                // The relay notes the result of a stream when the stream ends.
                if matches!(success, Success::Whole { .. }) {
                    shared.note(route, call, Ok(()));
                }
                return Ok((success, route));
            }
            Err(failure) => failure,
        };
        shared.note(route, call, Err(&failure));
        match retry::pause(&failure, tried, retries, &*shared.extension, jiff::Timestamp::now()) {
            Some(pause) => sleep(pause).await,
            None => return Err(failure),
        }
        last = Some(failure);
    }
    Err(last.unwrap_or_else(CallFailure::unreachable))
}
