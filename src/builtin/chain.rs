//! From a caller's request to a success or the failure to tell: tries, retries, fallbacks.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    Defect,
    attempt::{self, Success, UpstreamClient},
    cooldown::CooldownMemory,
    defect_memory::DefectMemory,
    failure::CallFailure,
    mortal, retry,
    retry_after_leave::RetryAfterLeave,
    rules::Rules,
    secrets::Secrets,
    tasks::Tasks,
    upstream_request::Ask,
};
use crate::proxy::ProxyRoute;

/// What all requests of an instance share.
#[derive(Debug)]
pub(super) struct ProxyShared {
    pub outbound: UpstreamClient,
    pub routes: Arc<[ProxyRoute]>,
    pub secrets: Arc<Secrets>,
    /// From a model name to the first route of that name.
    pub by_model: HashMap<String, usize>,
    pub proxy_key: String,
    pub defect: Option<Defect>,
    pub rules: Rules,
    pub memory: CooldownMemory,
    pub between: DefectMemory,
    pub tasks: Tasks,
}

impl ProxyShared {
    pub fn route(&self, model: &str) -> Option<&ProxyRoute> {
        self.by_model.get(model).and_then(|index| self.routes.get(*index))
    }

    /// The limit of one attempt.
    pub fn limit(&self, route: &ProxyRoute) -> Option<Duration> {
        // A limit that is no time at all (negative, not a number, too large) is none.
        Duration::try_from_secs_f64(route.timeout_s)
            .ok()
            .filter(|limit| self.rules.timeouts && !limit.is_zero())
    }
}

/// How a chain ended badly.
#[derive(Debug)]
pub(super) struct Failed {
    pub failure: CallFailure,
    /// Routes that were tried.
    pub routes: usize,
}

/// Tries the route and then its fallbacks, each as often as it allows.
///
/// # Errors
///
/// When all failed: the first failure of which an upstream spoke itself, else the first that came as an
/// answer, else the first of all.
pub(super) async fn run<'a>(
    shared: &'a Arc<ProxyShared>,
    route: &'a ProxyRoute,
    ask: &Ask,
) -> Result<(Success, &'a ProxyRoute), Failed> {
    let fallbacks =
        route.fallbacks.iter().filter(|_| shared.rules.fallbacks).filter_map(|model| shared.route(model));
    let mut failures = Vec::new();
    let mut routes = std::iter::once(route).chain(fallbacks);
    while let Some(route) = routes.next() {
        match tries(shared, route, ask).await {
            Ok(success) => {
                if let Some(next) = routes.next().filter(|_| shared.rules.ask_fallback_too) {
                    let _ = tries(shared, next, ask).await;
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
    let telling =
        first(CallFailure::is_in_the_upstreams_words).or_else(|| first(CallFailure::is_upstreams_own));
    let telling = telling.unwrap_or(0);
    Err(Failed { failure: failures.swap_remove(telling), routes })
}

async fn tries(shared: &Arc<ProxyShared>, route: &ProxyRoute, ask: &Ask) -> Result<Success, CallFailure> {
    let mut for_nobody = RetryAfterLeave::new(shared, route, ask);
    let result = tries_while_wanted(shared, route, ask).await;
    for_nobody.disarm();
    result
}

async fn tries_while_wanted(
    shared: &ProxyShared,
    route: &ProxyRoute,
    ask: &Ask,
) -> Result<Success, CallFailure> {
    let mut last = None;
    let retries = if ask.stream && !shared.rules.stream_retries { 0 } else { route.retries };
    for tried in 1.. {
        if let Some(refusal) = shared.memory.refusal(&route.model, Instant::now()) {
            // What an upstream said a moment ago, in this request, is the better answer.
            return Err(last.unwrap_or(refusal));
        }
        let result = attempt::attempt(&shared.outbound, route, ask, shared.limit(route)).await;
        let now = Instant::now();
        let failure = match result {
            Ok(success) => {
                // How a stream ends is told when it ends.
                if matches!(success, Success::Whole { .. }) {
                    shared.memory.note(&route.model, Ok(()), now);
                }
                return Ok(success);
            }
            Err(failure) => failure,
        };
        mortal::strike(shared.defect, &failure, ask);
        shared.memory.note(&route.model, Err(&failure), now);
        match retry::pause(&failure, tried, retries, &shared.rules, jiff::Timestamp::now()) {
            Some(pause) => sleep(pause).await,
            None => return Err(failure),
        }
        last = Some(failure);
    }
    Err(last.unwrap_or_else(CallFailure::unreachable))
}
