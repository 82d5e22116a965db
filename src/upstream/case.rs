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
    ledger::{Keep, Run},
    part::Part,
    port::RefusedPort,
    server::Shared,
};
use crate::{
    observation::{Attempt, Identity},
    provider,
    scenario::{Account, Answer, Combination, Fault, Provider, Reply, Transport, Turn},
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

pub(super) struct Case {
    pub(super) identity: Identity,
    pub(super) combination: Combination,
    pub(super) deployments: Vec<Deployment>,
    /// What is played once everything is well.
    well: Part,
    /// Cancelled when the case is disarmed.
    pub(super) stop: CancellationToken,
    pub(super) seed: u64,
    account: Option<Account>,
    keep: Keep,
    run: RwLock<Arc<Run>>,
}

pub(super) struct Deployment {
    pub(super) name: String,
    parts: Vec<Part>,
    /// Where a turn refuses the connection: a port of its own.
    refused: Option<RefusedPort>,
}

impl Case {
    pub(super) fn new(armed: Armed, keep: Keep, stop: CancellationToken) -> io::Result<Self> {
        let Armed { identity, combination, deployments, transport: _, account, seed } = armed;
        let deployments = deployments
            .into_iter()
            .map(|(name, turns)| {
                let refuses = turns.iter().any(|turn| turn.faults.contains(&Fault::Refuse));
                let refused = refuses.then(RefusedPort::hold).transpose()?;
                let parts = turns.into_iter().map(Part::new).collect();
                Ok(Deployment { name, parts, refused })
            })
            .collect::<io::Result<Vec<_>>>()?;
        let run = Run::new(Instant::now(), deployments.len(), keep).with_account(account.clone());
        let well = Turn { answer: Answer::Reply(Reply::Ok), headers: IndexMap::new(), faults: Vec::new() };
        let well = Part::new(well);
        let run = RwLock::new(Arc::new(run));
        Ok(Self { identity, combination, deployments, well, seed, account, stop, keep, run })
    }

    pub(super) fn run(&self) -> Arc<Run> {
        self.run.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The turn that a deployment plays now.
    pub(super) fn part(&self, run: &Run, deployment: usize) -> &Part {
        let parts = &self.deployments[deployment].parts;
        let next = run.next_turn(deployment);
        match parts.get(next).or(parts.last()) {
            Some(part) if !run.is_healed() => part,
            _ => &self.well,
        }
    }
}

/// A case that the mock answers for. Dropping it disarms the case and drops the connections on
/// which it is still being answered.
pub struct ArmedCase {
    case: Arc<Case>,
    shared: Arc<Shared>,
}

/// The base URL of a deployment of a mock at `address`, as the provider's SDK takes it:
/// `http://127.0.0.1:PORT/TOKEN/DEPLOYMENT/v1` for openai.
pub fn base_url(address: SocketAddr, provider: Provider, identity: &Identity, deployment: &str) -> String {
    format!("http://{address}/{}{}", identity.path(deployment), provider::base_path(provider))
}

impl ArmedCase {
    pub(super) fn new(case: Arc<Case>, shared: Arc<Shared>) -> Self {
        Self { case, shared }
    }

    /// The base URL of a deployment as the provider's SDK takes it:
    /// `http://127.0.0.1:PORT/TOKEN/DEPLOYMENT/v1` for openai.
    pub fn base_url(&self, deployment: &str) -> String {
        base_url(self.address(deployment), self.case.combination.provider, &self.case.identity, deployment)
    }

    /// `127.0.0.1:PORT` of a deployment.
    pub fn address(&self, deployment: &str) -> SocketAddr {
        let shared = self.shared.address;
        let named = self.case.deployments.iter().find(|known| known.name == deployment);
        match named.and_then(|known| known.refused.as_ref()) {
            Some(refused) => SocketAddr::new(shared.ip(), refused.port()),
            None => shared,
        }
    }

    /// The address of every deployment, each once.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let mut addresses: Vec<_> =
            self.case.deployments.iter().map(|deployment| self.address(&deployment.name)).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Starts the ledger and the turns afresh, and takes back [`heal`](Self::heal); the account is whole again; times count from
    /// `epoch`. What connections of an earlier run still do no longer shows.
    pub fn begin(&self, epoch: Instant) {
        for refused in self.case.deployments.iter().filter_map(|deployment| deployment.refused.as_ref()) {
            refused.shut();
        }
        let run = Run::new(epoch, self.case.deployments.len(), self.case.keep);
        let run = Arc::new(run.with_account(self.case.account.clone()));
        *self.case.run.write().unwrap_or_else(PoisonError::into_inner) = run;
    }

    /// Has every deployment answer well from now on, whatever the account says; a refused port is listened at. What is already
    /// being answered goes on as it was planned.
    ///
    /// # Errors
    /// When a refused port cannot be listened at.
    pub fn heal(&self) -> io::Result<()> {
        self.case.run().heal();
        for refused in self.case.deployments.iter().filter_map(|deployment| deployment.refused.as_ref()) {
            let _runtime = self.shared.runtime.enter();
            if let Some((listener, stop)) = refused.open(&self.case.stop)? {
                self.shared.accept(listener, stop);
            }
        }
        Ok(())
    }

    /// A copy of the ledger: the attempts in order of arrival.
    ///
    /// A request that the proxy did not send to its end is no attempt.
    pub fn attempts(&self) -> Vec<Attempt> {
        let name = |deployment: usize| self.case.deployments[deployment].name.as_str();
        self.case.run().attempts(&self.case.identity, name)
    }

    /// How many attempts are still being answered.
    pub fn open_attempts(&self) -> usize {
        self.case.run().open_attempts()
    }
}

impl Drop for ArmedCase {
    fn drop(&mut self) {
        self.shared.disarm(&self.case);
    }
}
