//! A case that is armed at the mock.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use indexmap::IndexMap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    deployment::{Deployment, is_played_by_connections},
    deployment_turns::DeploymentTurns,
    ledger::{Arrival, AttemptRecorder, Run},
    ledger_budget::LedgerMode,
    received::ReceivedRequest,
    server::ServerState,
};
use crate::{
    observation::{Attempt, Identity, Stray},
    provider,
    scenario::{Account, Combination, Provider, SuccessReply, Transport, Turn, TurnReply},
};

/// What a mock is to do for one case.
#[derive(Debug, Clone)]
pub struct Armed {
    /// Where its deployments are found, and the tokens that are planted.
    pub identity: Identity,
    /// Whose dialect is spoken.
    pub combination: Combination,
    /// Each deployment with its turns; the last turn repeats. Without any turn it answers well.
    pub deployments: Vec<(String, Vec<Turn>)>,
    /// What the deployments are reached by.
    pub transport: Transport,
    /// The account behind the keys; without one everything is allowed.
    pub account: Option<Account>,
    /// The seed of everything random.
    pub seed: u64,
}

pub(super) struct MockCase {
    pub(super) identity: Identity,
    pub(super) combination: Combination,
    pub(super) deployments: Vec<Deployment>,
    /// What is played once everything is well.
    well: DeploymentTurns,
    /// Cancelled when the case is disarmed.
    pub(super) stop: CancellationToken,
    pub(super) seed: u64,
    account: Option<Account>,
    keep: LedgerMode,
    run: RwLock<Arc<Run>>,
}

/// A turn that a connection plays before a request is read, with the attempt that it makes.
pub(super) struct ClaimedTurn {
    /// Its number at the deployment, from 0.
    pub(super) turn: usize,
    pub(super) recorder: AttemptRecorder,
}

impl MockCase {
    pub(super) fn new(armed: Armed, keep: LedgerMode, stop: CancellationToken) -> io::Result<Self> {
        let Armed { identity, combination, deployments, transport, account, seed } = armed;
        let deployments = deployments
            .into_iter()
            .map(|(name, turns)| Deployment::new(name, turns, transport))
            .collect::<io::Result<Vec<_>>>()?;
        let run = Run::new(Instant::now(), deployments.len(), keep).with_account(account.clone());
        let well =
            Turn { answer: TurnReply::Reply(SuccessReply::Ok), headers: IndexMap::new(), faults: Vec::new() };
        let well = DeploymentTurns::new(well);
        let run = RwLock::new(Arc::new(run));
        Ok(Self { identity, combination, deployments, well, seed, account, stop, keep, run })
    }

    pub(super) fn run(&self) -> Arc<Run> {
        self.run.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The turn that a deployment plays now.
    pub(super) fn part(&self, run: &Run, deployment: usize) -> &DeploymentTurns {
        let next = run.next_turn(deployment);
        if run.is_healed() { &self.well } else { self.part_of(deployment, next) }
    }

    /// The so-manieth turn of a deployment, from 0.
    pub(super) fn part_of(&self, deployment: usize, turn: usize) -> &DeploymentTurns {
        self.deployments[deployment].part(turn).unwrap_or(&self.well)
    }
}

impl MockCase {
    /// What a connection that comes in now plays by itself, if the next turn is such a one.
    pub(super) fn claim(&self, deployment: usize, arrived: Instant) -> Option<ClaimedTurn> {
        let run = self.run();
        if run.is_healed() {
            return None;
        }
        let known = &self.deployments[deployment];
        let is_played = |n: usize| known.part(n).is_some_and(|part| is_played_by_connections(&part.turn));
        let turn = run.next_turn_if(deployment, is_played)?;
        let arrival = Arrival { deployment, at: arrived, request: ReceivedRequest::nothing() };
        let recorder = run.open(arrival, self.stop.clone());
        recorder.plays(self.part_of(deployment, turn).turn.clone());
        Some(ClaimedTurn { turn, recorder })
    }
}

/// A case that the mock answers for. Dropping it disarms the case and drops the connections on
/// which it is still being answered.
pub struct ArmedCase {
    case: Arc<MockCase>,
    shared: Arc<ServerState>,
}

/// The base URL of a deployment of a mock at `address`, as the provider's SDK takes it, where it
/// has no port of its own: `http://127.0.0.1:PORT/TOKEN/DEPLOYMENT/v1` for openai.
pub fn base_url(address: SocketAddr, provider: Provider, identity: &Identity, deployment: &str) -> String {
    url("http", &address.to_string(), provider, identity, deployment)
}

fn url(scheme: &str, host: &str, provider: Provider, identity: &Identity, deployment: &str) -> String {
    format!("{scheme}://{host}/{}{}", identity.path(deployment), provider::base_path(provider))
}

impl ArmedCase {
    pub(super) fn new(case: Arc<MockCase>, shared: Arc<ServerState>) -> Self {
        Self { case, shared }
    }

    /// The base URL of a deployment as the provider's SDK takes it:
    /// `http://127.0.0.1:PORT/TOKEN/DEPLOYMENT/v1` for openai; `https://…` where it is reached by TLS.
    pub fn base_url(&self, deployment: &str) -> String {
        let known = self.case.deployments.iter().find(|known| known.name == deployment);
        let scheme = known.map_or("http", Deployment::scheme);
        let provider = self.case.combination.provider;
        url(scheme, &self.host(deployment), provider, &self.case.identity, deployment)
    }

    /// `127.0.0.1:PORT` of a deployment. Where its name cannot be resolved, that of all the others.
    pub fn address(&self, deployment: &str) -> SocketAddr {
        let shared = self.shared.address;
        let known = self.case.deployments.iter().find(|known| known.name == deployment);
        match known.and_then(|known| known.own.as_ref()) {
            Some(own) => SocketAddr::new(shared.ip(), own.port()),
            None => shared,
        }
    }

    /// What stands for a deployment in its URL: `127.0.0.1:PORT`, or `TOKEN.upfault.invalid:PORT`
    /// where its name is not to be resolved (RFC 6761 section 6.4).
    pub fn host(&self, deployment: &str) -> String {
        let address = self.address(deployment);
        let known = self.case.deployments.iter().find(|known| known.name == deployment);
        if known.is_some_and(|known| known.nameless) {
            format!("{}.upfault.invalid:{}", self.case.identity.token, address.port())
        } else {
            address.to_string()
        }
    }

    /// The [`host`](Self::host) of every deployment, each once.
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<_> =
            self.case.deployments.iter().map(|deployment| self.host(&deployment.name)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts
    }

    /// Starts the ledger and the turns afresh, and takes back [`heal`](Self::heal); the account is whole again; times count from
    /// `epoch`. What connections of an earlier run still do no longer shows, and the tokens of an earlier run are
    /// not planted again.
    pub fn begin(&self, epoch: Instant) {
        for own in self.case.deployments.iter().filter_map(|deployment| deployment.own.as_ref()) {
            own.shut();
        }
        let mut current = self.case.run.write().unwrap_or_else(PoisonError::into_inner);
        let run = Run::new(epoch, self.case.deployments.len(), self.case.keep).after(&current);
        *current = Arc::new(run.with_account(self.case.account.clone()));
    }

    /// Has every deployment answer well from now on, whatever the account says; a port that refused connections or did not
    /// accept them does so. What is already being answered goes on as it was planned.
    ///
    /// # Errors
    /// When a port cannot be listened at, and when a deployment's name cannot be resolved: that stays so.
    pub fn heal(&self) -> io::Result<()> {
        self.case.run().heal();
        self.shared.open(&self.case)?;
        match self.case.deployments.iter().find(|deployment| deployment.nameless) {
            Some(deployment) => {
                let message = format!("the name of `{}` is not to be resolved", deployment.name);
                Err(io::Error::new(io::ErrorKind::Unsupported, message))
            }
            None => Ok(()),
        }
    }

    /// A copy of the ledger: the attempts in order of arrival.
    ///
    /// A request that the proxy did not send to its end is no attempt. A connection that was met by a
    /// fault before a request was read is one without a method.
    pub fn attempts(&self) -> Vec<Attempt> {
        let name = |deployment: usize| self.case.deployments[deployment].name.as_str();
        self.case.run().attempts(&self.case.identity, name)
    }

    /// Visits to its deployments that became no attempt: garbage, halves of requests.
    pub fn strays(&self) -> Vec<Stray> {
        self.shared.strays.of(Some(&self.case.identity.token))
    }

    /// How many attempts are in the ledger since it was begun.
    pub fn arrived(&self) -> usize {
        self.case.run().arrived()
    }

    /// How many more attempts there have been since then, for which the ledger had no room.
    pub fn not_kept(&self) -> usize {
        self.case.run().not_kept()
    }

    /// How many of the attempts in the ledger are still being answered.
    pub fn open_attempts(&self) -> usize {
        self.case.run().open_attempts()
    }
}

impl Drop for ArmedCase {
    fn drop(&mut self) {
        self.shared.disarm(&self.case);
    }
}
