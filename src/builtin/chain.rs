//! Tries the route of a request, retries it, and tries its fallbacks, until one succeeds or all have failed.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    Defect,
    attempt::{self, Success, UpstreamClient},
    cooldown::CooldownMemory,
    defect_memory::DefectMemory,
    failure::CallFailure,
    process_stop, retry,
    retry_after_leave::RetryAfterLeave,
    rules::Rules,
    secrets::Secrets,
    tasks::Tasks,
    upstream_request::CallerRequest,
};
use crate::proxy::ProxyRoute;

/// The state that all requests of an instance share.
#[derive(Debug)]
pub(super) struct ProxyShared {
    pub outbound: UpstreamClient,
    pub routes: Arc<[ProxyRoute]>,
    pub secrets: Arc<Secrets>,
    /// Maps a model name to the index of the first route with that name.
    pub by_model: HashMap<String, usize>,
    pub proxy_key: String,
    pub defect: Option<Defect>,
    pub rules: Rules,
    pub cooldowns: CooldownMemory,
    pub defect_memory: DefectMemory,
    pub tasks: Tasks,
}

impl ProxyShared {
    pub(super) fn route(&self, model: &str) -> Option<&ProxyRoute> {
        self.by_model.get(model).and_then(|index| self.routes.get(*index))
    }

    /// The timeout of one attempt; `None` for no timeout.
    pub(super) fn limit(&self, route: &ProxyRoute) -> Option<Duration> {
        Some(route.settings.timeout).filter(|limit| self.rules.timeouts && !limit.is_zero())
    }
}

/// The failure of a route and all of its fallbacks.
#[derive(Debug)]
pub(super) struct Failed {
    pub failure: CallFailure,
    /// The number of routes that were tried.
    pub routes: usize,
}

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
) -> Result<(Success, &'a ProxyRoute), Failed> {
    let fallbacks =
        route.fallbacks.iter().filter(|_| shared.rules.fallbacks).filter_map(|model| shared.route(model));
    let mut failures = Vec::new();
    let mut routes = std::iter::once(route).chain(fallbacks);
    while let Some(route) = routes.next() {
        match tries(shared, route, call).await {
            Ok(success) => {
                if let Some(next) = routes.next().filter(|_| shared.rules.ask_fallback_too) {
                    let _ = tries(shared, next, call).await;
                }
                return Ok((success, route));
            }
            Err(failure) => {
                let goes_on = retry::falls_back(&failure);
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
    Err(Failed { failure: failures.swap_remove(reported), routes })
}

async fn tries(
    shared: &Arc<ProxyShared>,
    route: &ProxyRoute,
    call: &CallerRequest,
) -> Result<Success, CallFailure> {
    let mut after_leave = RetryAfterLeave::new(shared, route, call);
    let result = tries_while_wanted(shared, route, call).await;
    after_leave.disarm();
    result
}

async fn tries_while_wanted(
    shared: &ProxyShared,
    route: &ProxyRoute,
    call: &CallerRequest,
) -> Result<Success, CallFailure> {
    let mut last = None;
    let retries = if call.stream && !shared.rules.stream_retries { 0 } else { route.settings.retries };
    for tried in 1.. {
        if let Some(refusal) = shared.cooldowns.refusal(&route.model, Instant::now()) {
            // An error that an upstream sent earlier in this request says more than the cooldown does.
            return Err(last.unwrap_or(refusal));
        }
        let result = attempt::attempt(&shared.outbound, route, call, shared.limit(route)).await;
        let now = Instant::now();
        let failure = match result {
            Ok(success) => {
                // The relay notes the result of a stream when the stream ends.
                if matches!(success, Success::Whole { .. }) {
                    shared.cooldowns.note(&route.model, Ok(()), now);
                }
                return Ok(success);
            }
            Err(failure) => failure,
        };
        process_stop::stop_if_defect(shared.defect, &failure, call);
        shared.cooldowns.note(&route.model, Err(&failure), now);
        match retry::pause(&failure, tried, retries, &shared.rules, jiff::Timestamp::now()) {
            Some(pause) => sleep(pause).await,
            None => return Err(failure),
        }
        last = Some(failure);
    }
    Err(last.unwrap_or_else(CallFailure::unreachable))
}
