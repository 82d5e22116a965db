//! Control requests of upfault: they warm up a proxy and check whether it serves.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    case::ReadyCase,
    case_routes::routes,
    control_cases::{RouteKind, cases},
    gateway::Gateway,
};
use crate::{
    client::Driver,
    judge::CallerResponse,
    observation::{Exchange, Identity, StepName},
    proxy::ProxyRoute,
    scenario::{Case, Combination, Step, Transport},
    upstream::{Armed, Upstream},
};

/// The timeout of the first request on a route, during which the proxy may import, connect and compile.
const WARM_UP: Duration = Duration::from_secs(60);

/// The timeout of a control request.
pub(super) const PROBE: Duration = Duration::from_secs(5);

/// The deployments for control requests on an instance: for each API and provider that its cases use.
pub(super) struct Control {
    pairs: Vec<Pair>,
    /// The index of the pair for control requests.
    probed: AtomicUsize,
}

/// The result of a control request.
pub(super) struct ControlResult {
    /// Its duration, at most [`PROBE`].
    pub took: Duration,
    /// Whether a status arrived.
    pub answered: bool,
}

/// A simple request that failed.
pub(super) struct FailedWarmUp {
    /// The response that came instead of the mock's.
    pub got: String,
    /// Its status, if there was one.
    pub status: Option<u16>,
    /// Whether the proxy sent the request to the mock.
    pub reached_a_mock: bool,
}

/// A route that always succeeds and one that always fails.
struct Pair {
    succeeding: ReadyCase,
    failing: ReadyCase,
}

impl Control {
    /// Arms the deployments. `kinds` are those of the cases of the instance, and `token` is that of its configuration if it
    /// was configured before the run.
    pub(super) fn arm(
        upstream: &Upstream,
        group: usize,
        kinds: &[RouteKind],
        token: &str,
    ) -> io::Result<Self> {
        let arm = |case: Case| {
            let identity = Identity { token: case.id.clone() };
            let combination = case.combination;
            let armed = upstream.arm(Armed {
                providers: indexmap::IndexMap::new(),
                identity: identity.clone(),
                combination,
                deployments: case.scenario.deployments.clone(),
                transport: Transport::Plain,
                account: None,
                seed: 0,
            })?;
            let routes = routes(&case, &identity, |name| armed.base_url(name));
            Ok::<_, io::Error>(ReadyCase::new(case, identity, armed, routes))
        };
        let pairs = cases(group, kinds, token)
            .into_iter()
            .map(|[succeeding, failing]| Ok(Pair { succeeding: arm(succeeding)?, failing: arm(failing)? }))
            .collect::<io::Result<_>>()?;
        Ok(Self { pairs, probed: AtomicUsize::new(0) })
    }

    /// The routes for the configuration of the proxy.
    pub(super) fn routes(&self) -> impl Iterator<Item = ProxyRoute> {
        self.pairs.iter().flat_map(|pair| pair.succeeding.routes.iter().chain(&pair.failing.routes)).cloned()
    }

    /// Uses every kind of route once, and returns the duration of a control request without load.
    ///
    /// Reports kinds for which a simple request fails to `progress`. Their cases will fail too; others can run.
    ///
    /// # Errors
    ///
    /// If simple requests fail for every kind of route.
    pub(super) async fn warm_up(
        &self,
        gateway: &Gateway,
        driver: &Driver,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Duration, FailedWarmUp> {
        let (mut good, mut bad) = (None, None::<FailedWarmUp>);
        for (index, pair) in self.pairs.iter().enumerate() {
            let Combination { api, provider, .. } = pair.succeeding.case.combination;
            for stream in [false, true] {
                if stream && !api.streams() {
                    continue;
                }
                let exchange = send(&pair.succeeding, gateway, driver, stream, WARM_UP).await;
                let response = CallerResponse::of(&exchange, api);
                if response.looks_successful() {
                    good = good.or((!stream).then_some(index));
                } else {
                    let kind = if stream { "a stream" } else { "a plain request" };
                    let got = response.describe();
                    let way =
                        if pair.succeeding.routes[0].settings.pass_through { ", passed through" } else { "" };
                    let own = pair.succeeding.case.own.as_ref();
                    let own = own.map(|own| format!("{}: ", own.name)).unwrap_or_default();
                    progress(format!("{own}{api} from {provider}{way}: {kind} fails: {got}"));
                    let reached_a_mock = pair.succeeding.armed.arrived() > 0;
                    let status = exchange.answer().map(|answer| answer.status);
                    bad = bad.or(Some(FailedWarmUp { got, status, reached_a_mock }));
                }
                send(&pair.failing, gateway, driver, stream, WARM_UP).await;
            }
        }
        if let (None, Some(failed)) = (good, bad) {
            return Err(failed);
        }
        self.probed.store(good.unwrap_or_default(), Ordering::Relaxed);
        let mut times = Vec::new();
        for _ in 0..5 {
            times.push(self.probe(gateway, driver).await.took);
        }
        times.sort();
        Ok(times.get(times.len() / 2).copied().unwrap_or_default())
    }

    /// Sends a control request. If it gets no response, the next one uses another kind of route, because a single route
    /// may be stuck.
    pub(super) async fn probe(&self, gateway: &Gateway, driver: &Driver) -> ControlResult {
        let began = Instant::now();
        let index = self.probed.load(Ordering::Relaxed);
        let Some(pair) = self.pairs.get(index) else {
            return ControlResult { took: Duration::ZERO, answered: true };
        };
        let exchange = send(&pair.succeeding, gateway, driver, false, PROBE).await;
        let answered = exchange.answer().is_some();
        if !answered {
            self.probed.store((index + 1) % self.pairs.len(), Ordering::Relaxed);
        }
        ControlResult { took: began.elapsed(), answered }
    }
}

async fn send(
    ready: &ReadyCase,
    gateway: &Gateway,
    driver: &Driver,
    stream: bool,
    limit: Duration,
) -> Exchange {
    let epoch = Instant::now();
    // With a new ledger each time, so that control requests do not accumulate.
    ready.armed.begin(epoch);
    let combination = Combination { stream, ..ready.case.combination };
    let name = (StepName::Step(1), ready.next_run());
    let call = gateway.call(name, combination, &ready.routes[0], &Step::default());
    driver.send(call, epoch, epoch + limit).await
}
