//! One case: its steps, the control request after them, and the record of both sides.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior};

use super::{gateway::Gateway, plan};
use crate::{
    client::Driver,
    observation::{
        Arrangement, DeploymentArranged, Ending, Exchange, Identity, Observation, Outcome, StepName,
    },
    provider,
    proxy::Route,
    scenario::{Case, Step, siblings},
    upstream::ArmedCase,
};

/// How long the mock's side may take to see the end of an exchange that is over for the caller.
const SETTLE: Duration = Duration::from_millis(300);

/// How long a proxy is watched after its caller left: a little more than the contract gives it.
const WATCH: Duration = Duration::from_millis(2250);

/// How long the control request after the fault may take.
const RECOVERY: Duration = Duration::from_secs(10);

/// One case that is ready to run, as often as need be.
pub struct Ready {
    /// The case.
    pub case: Case,
    /// Who it is.
    pub identity: Identity,
    /// Its upstreams.
    pub armed: ArmedCase,
    /// What the proxy knows of it; the first is the one that callers address.
    pub routes: Vec<Route>,
    /// The same case under other names, for a second and a third look: a proxy that was asked to
    /// remember failures must not remember those of the look before.
    pub spares: Vec<Ready>,
    /// The tokens of the looks before this one.
    pub other_looks: Vec<String>,
}

impl Ready {
    /// One look's worth of a case.
    pub fn new(case: Case, identity: Identity, armed: ArmedCase, routes: Vec<Route>) -> Self {
        Self { case, identity, armed, routes, spares: Vec::new(), other_looks: Vec::new() }
    }

    /// With others of the same case, each of which learns the tokens of those before it.
    pub fn with_spares(mut self, mut spares: Vec<Self>) -> Self {
        let mut tokens = vec![self.identity.token.clone()];
        for spare in &mut spares {
            spare.other_looks.clone_from(&tokens);
            tokens.push(spare.identity.token.clone());
        }
        self.spares = spares;
        self
    }

    /// The case as it is run for the n-th look, from 0.
    pub fn look(&self, n: usize) -> &Self {
        n.checked_sub(1).and_then(|spare| self.spares.get(spare)).unwrap_or(self)
    }

    /// Every route that the proxy must know.
    pub fn all_routes(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().chain(self.spares.iter().flat_map(|spare| &spare.routes))
    }

    /// Runs the case once, from a fresh ledger, and returns all that was seen.
    pub async fn run(&self, gateway: &Gateway, driver: &Driver) -> Observation {
        let (epoch, began) = (Instant::now(), Timestamp::now());
        self.armed.begin(epoch);
        let scenario = &self.case.scenario;
        let limit = plan::deadline(&scenario.proxy, scenario.deployments.values().cloned());
        let mut exchanges = Vec::new();
        let mut answered = false;
        let mut names = (1..).map(StepName::Step);
        for together in scenario.steps.chunk_by(|_, next| next.together) {
            let before = self.armed.arrived();
            let sent = together
                .iter()
                .zip(&mut names)
                .map(|(step, name)| self.send(gateway, driver, name, step, epoch, limit));
            let got = futures_util::future::join_all(sent).await;
            answered = !got.iter().any(gave_up);
            let left = got.iter().any(|exchange| exchange.abandoned().is_some());
            exchanges.extend(got);
            if left {
                self.see_let_go(before).await;
            } else {
                self.settle().await;
            }
            if !answered {
                break;
            }
        }
        // Without the upstreams in order a control request would say nothing about the proxy.
        if answered && self.armed.heal().is_ok() {
            let step = Step::default();
            exchanges.push(self.send(gateway, driver, StepName::Recovery, &step, epoch, RECOVERY).await);
            self.settle().await;
        }
        Observation {
            began: Some(began),
            arrangement: self.arrangement(gateway),
            exchanges,
            attempts: self.armed.attempts(),
            harm: None,
        }
    }

    async fn send(
        &self,
        gateway: &Gateway,
        driver: &Driver,
        name: StepName,
        step: &Step,
        epoch: Instant,
        limit: Duration,
    ) -> Exchange {
        let model = step.to.as_deref().map(|to| self.identity.model(to));
        let route = self.routes.iter().find(|route| Some(&route.model) == model.as_ref());
        let call = gateway.call(name, self.case.combination, route.unwrap_or(&self.routes[0]), step);
        let deadline = Instant::now() + limit;
        let exchange = match step.leave {
            None => driver.send(call, epoch, deadline).await,
            Some(leave) => {
                let asked = Box::pin(self.asked_again(self.armed.arrived()));
                driver.send_and_leave(call, leave, asked, epoch, deadline).await
            }
        };
        Exchange { to: step.to.clone(), together: step.together, mistake: step.mistake, ..exchange }
    }

    /// Ready when there have been more attempts than so many.
    async fn asked_again(&self, attempts: usize) {
        let mut tick = tick();
        while self.armed.arrived() <= attempts {
            tick.tick().await;
        }
    }

    /// Gives the proxy time to let the upstreams go after its caller left, and to ask others all the
    /// same; there were `before` attempts before it asked. Where all are let go and it may ask nobody any more, there is nothing to wait for.
    async fn see_let_go(&self, before: usize) {
        let settings = &self.case.scenario.proxy;
        let chain = settings.fallback.len().max(1);
        let allowed = before + (settings.retries as usize + 1).saturating_mul(chain);
        let end = Instant::now() + WATCH;
        let mut tick = tick();
        while (self.armed.open_attempts() > 0 || self.armed.arrived() < allowed) && Instant::now() < end {
            tick.tick().await;
        }
    }

    /// Waits until the mock's side has seen the end too, within a bound: a proxy passes the last
    /// byte on before it is done with its own connection.
    async fn settle(&self) {
        let end = Instant::now() + SETTLE;
        let mut tick = tick();
        while self.armed.open_attempts() > 0 && Instant::now() < end {
            tick.tick().await;
        }
    }

    fn arrangement(&self, gateway: &Gateway) -> Arrangement {
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
                    model: self.identity.model(name),
                    key: self.identity.key(name),
                    turns: turns.clone(),
                })
                .collect(),
            expect: scenario.expect.clone(),
            except: scenario.except.clone(),
            held_against: siblings(&self.case).into_iter().map(|sibling| sibling.id).collect(),
            other_looks: self.other_looks.clone(),
            proxy_secrets: gateway.secrets(),
            upstream_addresses: self.armed.hosts(),
            volatile: gateway.volatile(),
        }
    }
}

/// The pace at which the ledger is looked at.
fn tick() -> tokio::time::Interval {
    let mut tick = tokio::time::interval(Duration::from_millis(2));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// Whether upfault's own deadline ended the exchange.
pub fn gave_up(exchange: &Exchange) -> bool {
    match &exchange.outcome {
        Outcome::Answer(answer) => answer.ending == Ending::Deadline,
        Outcome::NoAnswer { ending } => *ending == Ending::Deadline,
    }
}

/// What a proxy is told about the deployments of a case; `base_url` says where each is.
pub fn routes(case: &Case, identity: &Identity, base_url: impl Fn(&str) -> String) -> Vec<Route> {
    let settings = &case.scenario.proxy;
    case.scenario
        .deployments
        .keys()
        .enumerate()
        .map(|(i, name)| Route {
            model: identity.model(name),
            api: case.combination.api,
            provider: case.combination.provider,
            upstream_model: provider::model(case.combination.provider).to_owned(),
            base_url: base_url(name),
            api_key: identity.key(name),
            timeout_s: settings.timeout.as_secs_f64(),
            retries: settings.retries,
            fallbacks: if i == 0 {
                settings.fallback.iter().skip(1).map(|name| identity.model(name)).collect()
            } else {
                Vec::new()
            },
            pass_through: settings.pass_through,
            keep_alive_s: settings.keep_alive.map(|interval| interval.as_secs_f64()),
            group: identity.token.clone(),
        })
        .collect()
}
