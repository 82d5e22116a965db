//! A case of the mock: its deployments, and the run that they record.

use std::{
    io,
    sync::{Arc, PoisonError, RwLock},
};

use indexmap::IndexMap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attempt_record::Arrival,
    attempt_recorder::AttemptRecorder,
    deployment::{Deployment, OwnPorts, affects_connections},
    deployment_turns::DeploymentTurns,
    ledger::Run,
    ledger_budget::LedgerMode,
    received::ReceivedRequest,
};
use crate::{
    observation::Identity,
    scenario::{Account, Combination, SuccessReply, Transport, Turn, TurnReply},
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

    /// Starts a new run, and applies the faults of the ports again.
    pub(super) fn begin(&self, epoch: Instant) {
        for own in self.deployments.iter().filter_map(|deployment| deployment.own.as_ref()) {
            own.shut();
        }
        let mut current = self.run.write().unwrap_or_else(PoisonError::into_inner);
        let run = Run::new(epoch, self.deployments.len(), self.keep).after(&current);
        *current = Arc::new(run.with_account(self.account.clone()));
    }

    /// Empties the ledger of the current run.
    pub(super) fn forget(&self) {
        let mut current = self.run.write().unwrap_or_else(PoisonError::into_inner);
        let empty = Run::new(Instant::now(), self.deployments.len(), self.keep).after(&current);
        let empty = empty.with_account(self.account.clone());
        if current.is_healed() {
            empty.heal();
        }
        *current = Arc::new(empty);
    }
}
