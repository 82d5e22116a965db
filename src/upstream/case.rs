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
    ledger::{EarlierRuns, Run},
    ledger_budget::LedgerMode,
    received::ReceivedRequest,
};
use crate::{
    observation::Identity,
    scenario::{Account, Combination, Provider, Transport, Turn},
};

/// The description of a case for the mock.
#[derive(Debug, Clone)]
pub struct Armed {
    /// The identity, which determines the URLs of its deployments and its canaries.
    pub identity: Identity,
    /// The API and the provider that the mock simulates.
    pub combination: Combination,
    /// The turns of each deployment. The last turn repeats. A deployment without turns sends successful
    /// responses.
    pub deployments: Arc<IndexMap<String, Vec<Turn>>>,
    /// The providers of deployments for which the mock simulates another one.
    pub providers: IndexMap<String, Provider>,
    /// The transport of the deployments.
    pub transport: Transport,
    /// The account that the keys belong to. Without one, all requests are allowed.
    pub account: Option<Account>,
    /// The seed of all random numbers.
    pub seed: u64,
}

/// A case of the mock. Thousands wait for their first request at the same time, so a case without a run is small.
pub(super) struct MockCase {
    pub(super) identity: Identity,
    pub(super) combination: Combination,
    pub(super) deployments: Box<[Deployment]>,
    turns: Arc<IndexMap<String, Vec<Turn>>>,
    /// Cancelled when the case is disarmed.
    pub(super) stop: Arc<CancellationToken>,
    pub(super) seed: u64,
    account: Option<Account>,
    keep: LedgerMode,
    run: RwLock<RunState>,
}

enum RunState {
    /// No request has arrived since the case was armed or its ledger was emptied.
    Waiting(EarlierRuns),
    Running(Arc<Run>),
}

impl RunState {
    fn earlier(&self) -> EarlierRuns {
        match self {
            Self::Waiting(earlier) => earlier.clone(),
            Self::Running(run) => run.earlier(),
        }
    }
}

/// A turn that takes effect on a connection before a request is read, with its attempt.
pub(super) struct ClaimedTurn {
    pub(super) turn: Arc<DeploymentTurns>,
    pub(super) recorder: AttemptRecorder,
}

impl MockCase {
    pub(super) fn new(
        armed: Armed,
        keep: LedgerMode,
        ports: &mut OwnPorts,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let Armed { identity, combination, deployments: turns, providers, transport, account, seed } = armed;
        let places = turns
            .iter()
            .map(|(name, turns)| {
                let provider = providers.get(name).copied().unwrap_or(combination.provider);
                Deployment::new(name.clone(), provider, turns, transport, ports)
            })
            .collect::<io::Result<Box<[_]>>>()?;
        let run = RwLock::new(RunState::Waiting(EarlierRuns::none(places.len())));
        let stop = Arc::new(stop);
        Ok(Self { identity, combination, deployments: places, turns, seed, account, stop, keep, run })
    }

    /// Whether it belongs to a run, in which a proxy may look at its upstreams. Mocks for unknown clients treat every
    /// request as an attempt.
    pub(super) fn answers_discovery(&self) -> bool {
        self.keep == LedgerMode::Everything
    }

    /// Returns the current run, and starts it if there is none.
    pub(super) fn run(&self) -> Arc<Run> {
        if let RunState::Running(run) = &*self.run.read().unwrap_or_else(PoisonError::into_inner) {
            return run.clone();
        }
        let mut current = self.run.write().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            // Another request has started it in the meantime.
            RunState::Running(run) => run.clone(),
            RunState::Waiting(earlier) => {
                let run = self.new_run(Instant::now(), earlier.clone());
                *current = RunState::Running(run.clone());
                run
            }
        }
    }

    fn new_run(&self, epoch: Instant, earlier: EarlierRuns) -> Arc<Run> {
        Arc::new(Run::new(epoch, &self.turns, self.keep, earlier).with_account(self.account.clone()))
    }
}

impl MockCase {
    /// Claims the next turn for a new connection if that turn takes effect before a request is read.
    pub(super) fn claim(&self, deployment: usize, arrived: Instant) -> Option<ClaimedTurn> {
        let run = self.run();
        if run.is_healed() {
            return None;
        }
        let turn = run.next_turn_if(deployment, affects_connections)?.clone();
        let arrival = Arrival { deployment, at: arrived, request: ReceivedRequest::nothing() };
        let recorder = run.open(arrival, self.stop.clone());
        recorder.plays(turn.turn.clone());
        Some(ClaimedTurn { turn, recorder })
    }

    /// Starts a new run, and applies the faults of the ports again.
    pub(super) fn begin(&self, epoch: Instant) {
        for own in self.deployments.iter().filter_map(|deployment| deployment.own.as_ref()) {
            own.shut();
        }
        let mut current = self.run.write().unwrap_or_else(PoisonError::into_inner);
        let earlier = EarlierRuns { healed: false, ..current.earlier() };
        *current = RunState::Running(self.new_run(epoch, earlier));
    }

    /// Ends the current run and empties its ledger. The case stays healed if it is.
    pub(super) fn forget(&self) {
        let mut current = self.run.write().unwrap_or_else(PoisonError::into_inner);
        *current = RunState::Waiting(current.earlier());
    }
}
