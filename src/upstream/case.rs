//! A case that the mock is armed with.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use indexmap::IndexMap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attempt_record::Arrival,
    attempt_recorder::AttemptRecorder,
    deployment::{Deployment, OwnPorts, affects_connections, is_unresolvable, own_port, scheme},
    deployment_turns::DeploymentTurns,
    ledger::Run,
    ledger_budget::LedgerMode,
    received::ReceivedRequest,
    server::ServerState,
};
use crate::{
    observation::{Attempt, Identity, Stray},
    provider,
    scenario::{Account, Combination, Provider, SuccessReply, Transport, Turn, TurnReply},
};

/// The description of a case for the mock.
#[derive(Debug, Clone)]
pub struct Armed {
    /// The identity, which determines the URLs of its deployments and its canaries.
    pub identity: Identity,
    /// The API and the provider that the mock simulates.
    pub combination: Combination,
    /// Each deployment with its turns. The last turn repeats. A deployment without turns sends successful
    /// responses.
    pub deployments: Vec<(String, Vec<Turn>)>,
    /// The transport of the deployments.
    pub transport: Transport,
    /// The account that the keys belong to. Without one, all requests are allowed.
    pub account: Option<Account>,
    /// The seed of all random numbers.
    pub seed: u64,
}

pub(super) struct MockCase {
    pub(super) identity: Identity,
    pub(super) combination: Combination,
    pub(super) deployments: Vec<Deployment>,
    /// The turn of every deployment once the case is healed.
    healthy: DeploymentTurns,
    /// Cancelled when the case is disarmed.
    pub(super) stop: Arc<CancellationToken>,
    pub(super) seed: u64,
    account: Option<Account>,
    keep: LedgerMode,
    run: RwLock<Arc<Run>>,
}

/// A turn that takes effect on a connection before a request is read, with its attempt.
pub(super) struct ClaimedTurn {
    /// The 0-based number of the turn at the deployment.
    pub(super) turn: usize,
    pub(super) recorder: AttemptRecorder,
}

impl MockCase {
    pub(super) fn new(
        armed: Armed,
        keep: LedgerMode,
        ports: &mut OwnPorts,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let Armed { identity, combination, deployments, transport, account, seed } = armed;
        let deployments = deployments
            .into_iter()
            .map(|(name, turns)| Deployment::new(name, turns, transport, ports))
            .collect::<io::Result<Vec<_>>>()?;
        let run = Run::new(Instant::now(), deployments.len(), keep).with_account(account.clone());
        let healthy =
            Turn { answer: TurnReply::Reply(SuccessReply::Ok), headers: IndexMap::new(), faults: Vec::new() };
        let healthy = DeploymentTurns::new(healthy);
        let run = RwLock::new(Arc::new(run));
        let stop = Arc::new(stop);
        Ok(Self { identity, combination, deployments, healthy, seed, account, stop, keep, run })
    }

    pub(super) fn run(&self) -> Arc<Run> {
        self.run.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the next turn of a deployment.
    pub(super) fn part(&self, run: &Run, deployment: usize) -> &DeploymentTurns {
        let next = run.next_turn(deployment);
        if run.is_healed() { &self.healthy } else { self.part_of(deployment, next) }
    }

    /// Returns the turn of a deployment with this 0-based number.
    pub(super) fn part_of(&self, deployment: usize, turn: usize) -> &DeploymentTurns {
        self.deployments[deployment].part(turn).unwrap_or(&self.healthy)
    }
}

impl MockCase {
    /// Claims the next turn for a new connection if that turn takes effect before a request is read.
    pub(super) fn claim(&self, deployment: usize, arrived: Instant) -> Option<ClaimedTurn> {
        let run = self.run();
        if run.is_healed() {
            return None;
        }
        let known = &self.deployments[deployment];
        let is_played = |n: usize| known.part(n).is_some_and(|part| affects_connections(&part.turn));
        let turn = run.next_turn_if(deployment, is_played)?;
        let arrival = Arrival { deployment, at: arrived, request: ReceivedRequest::nothing() };
        let recorder = run.open(arrival, self.stop.clone());
        recorder.plays(self.part_of(deployment, turn).turn.clone());
        Some(ClaimedTurn { turn, recorder })
    }
}

/// A case that the mock is armed with. Dropping it disarms the case and closes its open connections.
pub struct ArmedCase {
    case: Arc<MockCase>,
    shared: Arc<ServerState>,
}

/// Returns the base URL of a deployment without its own port, for a mock at `address`, in the form that the
/// provider's SDK expects: `http://127.0.0.1:PORT/TOKEN/DEPLOYMENT/v1` for openai.
pub(crate) fn base_url(
    address: SocketAddr,
    provider: Provider,
    identity: &Identity,
    deployment: &str,
) -> String {
    url("http", &address.to_string(), provider, identity, deployment)
}

/// Returns the base URL of every deployment of a case that is armed on a mock at `address` with
/// [`OwnPorts::After`] its port.
///
/// # Errors
/// If a deployment needs a port after the last one.
pub(crate) fn planned_base_urls(
    address: SocketAddr,
    provider: Provider,
    transport: Transport,
    identity: &Identity,
    deployments: &IndexMap<String, Vec<Turn>>,
) -> io::Result<IndexMap<String, String>> {
    let mut ports = OwnPorts::After(address.port());
    let mut urls = IndexMap::new();
    for (name, turns) in deployments {
        let own = own_port(turns, transport).map(|_| ports.next()).transpose()?;
        let address = SocketAddr::new(address.ip(), own.unwrap_or(address.port()));
        let host = host(address, is_unresolvable(turns), identity);
        urls.insert(name.clone(), url(scheme(transport), &host, provider, identity, name));
    }
    Ok(urls)
}

/// The host and port in the URL of a deployment at `address`.
fn host(address: SocketAddr, unresolvable: bool, identity: &Identity) -> String {
    match unresolvable {
        true => format!("{}.upfault.invalid:{}", identity.token, address.port()),
        false => address.to_string(),
    }
}

fn url(scheme: &str, host: &str, provider: Provider, identity: &Identity, deployment: &str) -> String {
    format!("{scheme}://{host}/{}{}", identity.path(deployment), provider::base_path(provider))
}

impl ArmedCase {
    pub(super) fn new(case: Arc<MockCase>, shared: Arc<ServerState>) -> Self {
        Self { case, shared }
    }

    /// Returns the base URL of a deployment in the form that the provider's SDK expects:
    /// `http://127.0.0.1:PORT/TOKEN/DEPLOYMENT/v1` for openai, or `https://…` if it uses TLS.
    pub fn base_url(&self, deployment: &str) -> String {
        let known = self.case.deployments.iter().find(|known| known.name == deployment);
        let scheme = known.map_or("http", Deployment::scheme);
        let provider = self.case.combination.provider;
        url(scheme, &self.host(deployment), provider, &self.case.identity, deployment)
    }

    /// Returns `127.0.0.1:PORT` of a deployment. If its name does not resolve, returns the address that
    /// deployments without their own port share.
    pub fn address(&self, deployment: &str) -> SocketAddr {
        let shared = self.shared.address;
        let known = self.case.deployments.iter().find(|known| known.name == deployment);
        match known.and_then(|known| known.own.as_ref()) {
            Some(own) => SocketAddr::new(shared.ip(), own.port()),
            None => shared,
        }
    }

    /// Returns the host and port in a deployment's URL: `127.0.0.1:PORT`, or `TOKEN.upfault.invalid:PORT` if
    /// its name must not resolve (RFC 6761 section 6.4).
    pub fn host(&self, deployment: &str) -> String {
        let address = self.address(deployment);
        let known = self.case.deployments.iter().find(|known| known.name == deployment);
        host(address, known.is_some_and(|known| known.unresolvable), &self.case.identity)
    }

    /// Returns the [`host`](Self::host) of every deployment, without duplicates.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<_> =
            self.case.deployments.iter().map(|deployment| self.host(&deployment.name)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// Starts a new run: with an empty ledger, the first turns and an unused account, and not healed any
    /// more. Times are measured from `epoch`. Events on connections of an earlier run do not appear in the
    /// new ledger, and canaries of an earlier run do not occur again.
    pub fn begin(&self, epoch: Instant) {
        for own in self.case.deployments.iter().filter_map(|deployment| deployment.own.as_ref()) {
            own.shut();
        }
        let mut current = self.case.run.write().unwrap_or_else(PoisonError::into_inner);
        let run = Run::new(epoch, self.case.deployments.len(), self.case.keep).after(&current);
        *current = Arc::new(run.with_account(self.case.account.clone()));
    }

    /// Heals the case: from now on every deployment sends successful responses, whatever the account says.
    /// Ports that refused or did not accept connections accept them. Replies that have already begun follow
    /// their plans.
    ///
    /// # Errors
    /// If a port cannot be listened on, or the name of a deployment does not resolve, which cannot be healed.
    pub fn heal(&self) -> io::Result<()> {
        self.case.run().heal();
        self.shared.open(&self.case)?;
        match self.case.deployments.iter().find(|deployment| deployment.unresolvable) {
            Some(deployment) => {
                let message =
                    format!("the name of `{}` does not resolve, which cannot be healed", deployment.name);
                Err(io::Error::new(io::ErrorKind::Unsupported, message))
            }
            None => Ok(()),
        }
    }

    /// Returns a copy of the ledger: the attempts in order of arrival.
    ///
    /// A request that the proxy did not send to its end does not count as an attempt. If a fault affects a
    /// connection before a request is read, the attempt has no method.
    pub fn attempts(&self) -> Vec<Attempt> {
        let name = |deployment: usize| self.case.deployments[deployment].name.as_str();
        self.case.run().attempts(&self.case.identity, name)
    }

    /// Empties the ledger, which may be large, after the last look at it. Events on open connections are recorded no more.
    pub(crate) fn forget(&self) {
        let mut current = self.case.run.write().unwrap_or_else(PoisonError::into_inner);
        let empty = Run::new(Instant::now(), self.case.deployments.len(), self.case.keep).after(&current);
        let empty = empty.with_account(self.case.account.clone());
        if current.is_healed() {
            empty.heal();
        }
        *current = Arc::new(empty);
    }

    /// Returns the connections to its deployments that did not become an attempt: invalid or incomplete
    /// requests.
    pub fn strays(&self) -> Vec<Stray> {
        self.shared.strays.of(Some(&self.case.identity.token))
    }

    /// Returns the number of attempts in the ledger of this run.
    pub fn arrived(&self) -> usize {
        self.case.run().arrived()
    }

    /// Returns the number of further attempts of this run, for which the ledger had no room.
    pub fn not_kept(&self) -> usize {
        self.case.run().not_kept()
    }

    /// Returns the number of attempts in the ledger whose replies have not ended yet.
    pub fn open_attempts(&self) -> usize {
        self.case.run().open_attempts()
    }
}

impl Drop for ArmedCase {
    fn drop(&mut self) {
        self.shared.disarm(&self.case);
    }
}
