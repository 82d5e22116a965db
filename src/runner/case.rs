//! Runs a case: its steps, the recovery request after them, and the observation of both sides.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    case_routes::{model, provider_of},
    gateway::Gateway,
    plan,
};
use crate::{
    client::Driver,
    observation::{
        Arrangement, DeploymentArranged, Exchange, ExchangeOutcome, Identity, Observation, OwnRetries,
        ResponseEnd, StepName, word,
    },
    proxy::ProxyRoute,
    scenario::{Case, Step, siblings},
    upstream::ArmedCase,
};

/// How long the mock may take to see the end of an exchange that has ended for the caller.
const SETTLE: Duration = Duration::from_millis(300);

/// How long a proxy is observed after its caller left: slightly longer than the contract allows.
const WATCH: Duration = Duration::from_millis(2250);

/// The timeout of the recovery request.
const RECOVERY: Duration = Duration::from_secs(10);

/// A case that is ready to run, several times if needed.
pub(super) struct ReadyCase {
    /// The case.
    pub case: Case,
    /// Its identity.
    pub identity: Identity,
    /// Its upstreams.
    pub armed: ArmedCase,
    /// Its routes in the configuration of the proxy. Callers use the first one.
    pub routes: Box<[ProxyRoute]>,
    /// The same case with other identities, for further looks: a proxy with a cooldown must not remember the failures
    /// of an earlier look.
    pub spares: Vec<ReadyCase>,
    /// The tokens of the looks before this one.
    pub other_looks: Vec<String>,
    /// The addresses of all mocks of the run.
    pub run_addresses: Arc<[String]>,
    /// How often the case has been run with this identity.
    runs: AtomicU32,
}

impl ReadyCase {
    /// A case without spares.
    pub(super) fn new(case: Case, identity: Identity, armed: ArmedCase, routes: Box<[ProxyRoute]>) -> Self {
        Self {
            case,
            identity,
            armed,
            routes,
            spares: Vec::new(),
            other_looks: Vec::new(),
            run_addresses: Arc::new([]),
            runs: AtomicU32::new(0),
        }
    }

    /// Adds spares. Each of them gets the tokens of the looks before it.
    pub(super) fn with_spares(mut self, mut spares: Vec<Self>) -> Self {
        let mut tokens = vec![self.identity.token.clone()];
        for spare in &mut spares {
            spare.other_looks.clone_from(&tokens);
            tokens.push(spare.identity.token.clone());
        }
        self.spares = spares;
        self
    }

    /// The case to run for a look, whose number is 0-based.
    pub(super) fn look(&self, n: usize) -> &Self {
        n.checked_sub(1).and_then(|spare| self.spares.get(spare)).unwrap_or(self)
    }

    /// All routes for the configuration of the proxy.
    pub(super) fn all_routes(&self) -> impl Iterator<Item = &ProxyRoute> {
        self.routes.iter().chain(self.spares.iter().flat_map(|spare| &spare.routes))
    }

    /// The 1-based number of the next run with this identity.
    pub(super) fn next_run(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Runs the case once with an empty ledger, and returns the observation.
    pub(super) async fn run(&self, gateway: &Gateway, driver: &Driver) -> Observation {
        let (epoch, began) = (Instant::now(), Timestamp::now());
        self.armed.begin(epoch);
        let scenario = &self.case.scenario;
        let limit = plan::deadline(&scenario.proxy, scenario.deployments.values().cloned())
            + plan::pauses_of_own(&self.case);
        let run = self.next_run();
        let mut exchanges = Vec::new();
        let mut answered = false;
        let mut names = (1..).map(StepName::Step);
        for together in scenario.steps.chunk_by(|_, next| next.together) {
            let before = self.armed.arrived();
            let sent = together
                .iter()
                .zip(&mut names)
                .map(|(step, name)| self.send(gateway, driver, (name, run), step, epoch, limit));
            let got = futures_util::future::join_all(sent).await;
            answered = !got.iter().any(gave_up);
            let left = got.iter().any(|exchange| exchange.abandoned().is_some());
            exchanges.extend(got);
            if left {
                self.watch_after_leave(before).await;
            } else {
                self.settle().await;
            }
            if !answered {
                break;
            }
        }
        // The recovery request says something about the proxy only if the upstreams are healthy.
        if answered && self.armed.heal().is_ok() {
            let step = Step::default();
            exchanges
                .push(self.send(gateway, driver, (StepName::Recovery, run), &step, epoch, RECOVERY).await);
            self.settle().await;
        }
        let attempts = self.armed.attempts();
        self.armed.forget();
        Observation {
            began: Some(began),
            arrangement: self.arrangement(gateway, &exchanges),
            exchanges,
            attempts,
            harm: None,
        }
    }

    async fn send(
        &self,
        gateway: &Gateway,
        driver: &Driver,
        name: (StepName, u32),
        step: &Step,
        epoch: Instant,
        limit: Duration,
    ) -> Exchange {
        if let Some(pause) = step.pause {
            tokio::time::sleep(pause).await;
        }
        let model = step.to.as_deref().map(|to| model(&self.case, &self.identity, to));
        let route = self.routes.iter().find(|route| Some(&route.model) == model.as_ref());
        let call = gateway.call(name, self.case.combination, route.unwrap_or(&self.routes[0]), step);
        let deadline = Instant::now() + limit;
        let exchange = match step.leave {
            None => driver.send(call, epoch, deadline).await,
            Some(leave) => {
                let further = Box::pin(self.further_attempt(self.armed.arrived()));
                driver.send_and_leave(call, leave, further, epoch, deadline).await
            }
        };
        Exchange { to: step.to.clone(), together: step.together, mistake: step.mistake, ..exchange }
    }

    /// Resolves when the ledger contains more than `attempts` attempts. Cancel-safe.
    async fn further_attempt(&self, attempts: usize) {
        let mut tick = tick();
        while self.armed.arrived() <= attempts {
            tick.tick().await;
        }
    }

    /// Gives the proxy time to cancel upstream requests after its caller left, and to start further attempts, which
    /// would be a finding. `before` is the number of attempts before the step. Returns early if all attempts have
    /// ended and no further ones are allowed.
    async fn watch_after_leave(&self, before: usize) {
        let settings = &self.case.scenario.proxy;
        let chain = settings.fallback.len().max(settings.group.len()).max(1);
        let allowed = before + (settings.retries as usize + 1).saturating_mul(chain);
        let end = Instant::now() + WATCH;
        let mut tick = tick();
        while (self.armed.open_attempts() > 0 || self.armed.arrived() < allowed) && Instant::now() < end {
            tick.tick().await;
        }
    }

    /// Waits for at most [`SETTLE`] until the mock has seen the end of all attempts: a proxy passes on the last byte
    /// before it finishes its own connection.
    async fn settle(&self) {
        let end = Instant::now() + SETTLE;
        let mut tick = tick();
        while self.armed.open_attempts() > 0 && Instant::now() < end {
            tick.tick().await;
        }
    }

    /// The addresses of mocks of other cases in these responses.
    fn foreign_addresses(&self, exchanges: &[Exchange]) -> Vec<String> {
        let own = self.armed.hosts();
        let texts: Vec<&str> = exchanges
            .iter()
            .filter_map(Exchange::answer)
            .flat_map(|answer| {
                answer.headers.iter().map(|(_, value)| value).chain([&answer.body.text]).map(String::as_str)
            })
            // Every address of a mock has a port.
            .filter(|text| text.contains(':'))
            .collect();
        let occurs = |address: &&String| {
            !own.contains(*address) && texts.iter().any(|text| word::occurs(text, address))
        };
        self.run_addresses.iter().filter(occurs).cloned().collect()
    }

    fn arrangement(&self, gateway: &Gateway, exchanges: &[Exchange]) -> Arrangement {
        let scenario = &self.case.scenario;
        Arrangement {
            identity: self.identity.clone(),
            combination: self.case.combination,
            level: scenario.level,
            proxy: scenario.proxy.clone(),
            deployments: scenario
                .deployments
                .iter()
                .map(|(name, turns)| DeploymentArranged {
                    name: name.clone(),
                    model: model(&self.case, &self.identity, name),
                    provider: provider_of(&self.case, name),
                    key: self.identity.key(name),
                    turns: turns.clone(),
                })
                .collect(),
            expect: scenario.expect.clone(),
            except: scenario.except.clone(),
            compared_with: siblings(&self.case).into_iter().map(|sibling| sibling.id).collect(),
            other_looks: self.other_looks.clone(),
            proxy_secrets: gateway.secrets(),
            upstream_addresses: self.armed.hosts(),
            own_retries: self.case.own.as_ref().map_or_else(
                || gateway.own_retries(),
                |own| Some(OwnRetries::of(own.settings.retries, own.settings.retries_vary)),
            ),
            foreign_addresses: self.foreign_addresses(exchanges),
            caches: gateway.caches(),
            volatile: gateway.volatile(),
        }
    }
}

/// The interval at which the ledger is polled.
fn tick() -> tokio::time::Interval {
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// Whether the exchange ended because upfault stopped waiting.
pub(super) fn gave_up(exchange: &Exchange) -> bool {
    match &exchange.outcome {
        ExchangeOutcome::Answer(answer) => answer.ending == ResponseEnd::Deadline,
        ExchangeOutcome::NoAnswer { ending } => *ending == ResponseEnd::Deadline,
    }
}
