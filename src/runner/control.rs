//! Small requests of upfault's own: they warm a proxy up, and tell how it is doing.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    case::{Ready, routes},
    gateway::Gateway,
};
use crate::{
    client::Driver,
    judge::Told,
    observation::{Exchange, Identity, StepName},
    proxy::Route,
    scenario::{
        Answer, Case, Combination, ErrorName, Expect, Level, ProxySettings, Reply, Scenario, Step, Transport,
        Turn,
    },
    upstream::{Armed, Upstream, base_url},
};

/// First use of a route imports, connects and compiles: it may take long, and is none of a case's.
const WARM_UP: Duration = Duration::from_secs(60);

/// A control request that takes longer than this counts as this.
pub const PROBE: Duration = Duration::from_secs(5);

/// Deployments of upfault's own on one instance, for each API and provider that its cases use.
pub struct Control {
    pairs: Vec<Pair>,
    /// The pair by which the proxy's pace is told.
    probed: AtomicUsize,
}

/// What tells routes apart that a proxy treats alike: an API and a provider, and whether requests are
/// handed on as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    combination: Combination,
    pass_through: bool,
}

impl Kind {
    /// The kind of route that a case uses.
    pub fn of(case: &Case) -> Self {
        let combination = Combination { stream: false, ..case.combination };
        Self { combination, pass_through: case.scenario.proxy.pass_through }
    }
}

/// What one control request showed.
pub struct Probe {
    /// From sending it to its end, or to the limit.
    pub took: Duration,
    /// Whether it got at least a status.
    pub answered: bool,
}

/// One route that always succeeds and one that always fails.
struct Pair {
    well: Ready,
    ill: Ready,
}

impl Control {
    /// Arms them; `kinds` are those of the group's cases.
    pub fn arm(upstream: &Upstream, group: usize, kinds: &[Kind]) -> io::Result<Self> {
        let arm = |case: Case| {
            let identity = Identity { token: case.id.clone() };
            let combination = case.combination;
            let armed = upstream.arm(Armed {
                identity: identity.clone(),
                combination,
                deployments: vec![("primary".to_owned(), case.scenario.deployments["primary"].clone())],
                transport: Transport::Plain,
                account: None,
                seed: 0,
            })?;
            armed.begin(Instant::now());
            let routes = routes(&case, &identity, |name| armed.base_url(name));
            Ok::<_, io::Error>(Ready::new(case, identity, armed, routes))
        };
        let pairs = cases(group, kinds)
            .into_iter()
            .map(|[well, ill]| Ok(Pair { well: arm(well)?, ill: arm(ill)? }))
            .collect::<io::Result<_>>()?;
        Ok(Self { pairs, probed: AtomicUsize::new(0) })
    }

    /// What the proxy must know of them.
    pub fn routes(&self) -> impl Iterator<Item = Route> {
        self.pairs.iter().flat_map(|pair| pair.well.routes.iter().chain(&pair.ill.routes)).cloned()
    }

    /// Uses every kind of route once, and says what a control request takes when nothing else goes on.
    ///
    /// A kind whose plain success does not come through is told to `progress`; its cases will show
    /// it, and the others can be run all the same.
    ///
    /// # Errors
    ///
    /// What came back in place of a plain success, where none came through.
    pub async fn warm_up(
        &self,
        gateway: &Gateway,
        driver: &Driver,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Duration, String> {
        let (mut good, mut bad) = (None, None);
        for (index, pair) in self.pairs.iter().enumerate() {
            let Combination { api, provider, .. } = pair.well.case.combination;
            for stream in [false, true] {
                if stream && !api.streams() {
                    continue;
                }
                let exchange = send(&pair.well, gateway, driver, stream, WARM_UP).await;
                let told = Told::of(&exchange, api);
                if told.looks_successful() {
                    good = good.or((!stream).then_some(index));
                } else {
                    let kind = if stream { "a stream" } else { "a plain request" };
                    let told = told.describe();
                    let way = if pair.well.routes[0].pass_through { ", passed through" } else { "" };
                    progress(format!("{api} from {provider}{way}: {kind} does not come through: {told}"));
                    bad = bad.or(Some(told));
                }
                send(&pair.ill, gateway, driver, stream, WARM_UP).await;
            }
        }
        if let (None, Some(told)) = (good, bad) {
            return Err(told);
        }
        self.probed.store(good.unwrap_or_default(), Ordering::Relaxed);
        let mut times = Vec::new();
        for _ in 0..5 {
            times.push(self.probe(gateway, driver).await.took);
        }
        times.sort();
        Ok(times.get(times.len() / 2).copied().unwrap_or_default())
    }

    /// One control request. After one that got nothing the next takes another kind of route, if there is
    /// one: a route may be stuck by itself.
    pub async fn probe(&self, gateway: &Gateway, driver: &Driver) -> Probe {
        let began = Instant::now();
        let index = self.probed.load(Ordering::Relaxed);
        let Some(pair) = self.pairs.get(index) else { return Probe { took: Duration::ZERO, answered: true } };
        let exchange = send(&pair.well, gateway, driver, false, PROBE).await;
        let answered = exchange.answer().is_some();
        if !answered {
            self.probed.store((index + 1) % self.pairs.len(), Ordering::Relaxed);
        }
        Probe { took: began.elapsed(), answered }
    }
}

async fn send(ready: &Ready, gateway: &Gateway, driver: &Driver, stream: bool, limit: Duration) -> Exchange {
    let epoch = Instant::now();
    // A fresh ledger each time, so that hours of control requests do not pile up in it.
    ready.armed.begin(epoch);
    let combination = Combination { stream, ..ready.case.combination };
    let call = gateway.call(StepName::Step(1), combination, &ready.routes[0], &Step::default());
    driver.send(call, epoch, epoch + limit).await
}

/// The routes of upfault's own for a mock that will be at `address`.
pub fn static_routes(kinds: &[Kind], address: SocketAddr) -> Vec<Route> {
    let mut all = Vec::new();
    for case in cases(0, kinds).into_iter().flatten() {
        let identity = Identity { token: case.id.clone() };
        let provider = case.combination.provider;
        all.extend(routes(&case, &identity, |name| base_url(address, provider, &identity, name)));
    }
    all
}

/// For each kind, a case that always succeeds and one that always fails.
fn cases(group: usize, kinds: &[Kind]) -> Vec<[Case; 2]> {
    let mut seen: Vec<Kind> = Vec::new();
    for kind in kinds {
        if !seen.contains(kind) {
            seen.push(*kind);
        }
    }
    let make = |i: usize, kind: Kind, end: &str, answer: Answer| {
        let identity = Identity { token: format!("control{group}x{i}{end}") };
        case(&identity, kind, Turn { answer, headers: indexmap::IndexMap::new(), faults: Vec::new() })
    };
    let pair = |(i, kind)| {
        let well = make(i, kind, "ok", Answer::Reply(Reply::Ok));
        [well, make(i, kind, "no", Answer::Error(ErrorName::Internal))]
    };
    seen.into_iter().enumerate().map(pair).collect()
}

fn case(identity: &Identity, kind: Kind, turn: Turn) -> Case {
    let Kind { combination, pass_through } = kind;
    let scenario = Scenario {
        id: identity.token.clone(),
        file: String::new(),
        title: "A control request".to_owned(),
        why: "It tells how the proxy is doing.".to_owned(),
        level: Level::Informative,
        tags: Vec::new(),
        references: Vec::new(),
        matrix: vec![combination],
        deployments: [("primary".to_owned(), vec![turn])].into_iter().collect(),
        transport: Transport::Plain,
        account: None,
        proxy: ProxySettings { pass_through, ..ProxySettings::default() },
        steps: vec![Step::default()],
        expect: Expect::default(),
        except: indexmap::IndexMap::new(),
    };
    Case { id: identity.token.clone(), scenario: Arc::new(scenario), combination }
}
