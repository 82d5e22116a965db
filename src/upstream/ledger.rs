//! The ledger: what the mock received and sent, attempt by attempt.

use std::sync::{Arc, Mutex};

use indexmap::IndexMap;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attempt_record::{Arrival, Record},
    attempt_recorder::AttemptRecorder,
    deployment_turns::DeploymentTurns,
    ledger_budget::{LedgerBudget, LedgerMode},
    locked::locked,
};
use crate::{
    observation::{Attempt, AttemptEnd, Identity},
    provider::{AccountState, Admission, RequestedCall},
    scenario::{Account, SuccessReply, Turn, TurnReply},
};

/// The ledger of one run of a case. A second run gets its own ledger, and events on connections of the first
/// run go to the ledger of the first.
pub(super) struct Run {
    /// The start of all times.
    pub(super) epoch: Instant,
    /// Cancelled once the case is healed.
    healed: CancellationToken,
    keep: LedgerMode,
    room: LedgerBudget,
    account: Option<Mutex<AccountState>>,
    /// The number of attempts at each deployment in the runs before this one.
    before: Vec<u32>,
    /// The turns of each deployment.
    turns: Vec<Vec<Arc<DeploymentTurns>>>,
    /// The turn of every deployment once the case is healed.
    healthy: Arc<DeploymentTurns>,
    entries: Mutex<Entries>,
}

/// What a run takes over from the runs before it.
#[derive(Debug, Clone)]
pub(super) struct EarlierRuns {
    /// The number of attempts at each deployment. The numbers in canaries continue, so that no canary occurs twice.
    pub(super) attempts: Vec<u32>,
    /// Whether the case is healed.
    pub(super) healed: bool,
}

impl EarlierRuns {
    /// Before the first run of a case with this number of deployments.
    pub(super) fn none(deployments: usize) -> Self {
        Self { attempts: vec![0; deployments], healed: false }
    }
}

struct Entries {
    /// The records in order of arrival.
    records: Vec<Arc<Mutex<Record>>>,
    /// The number of attempts at each deployment so far.
    attempts: Vec<u32>,
    /// The number of turns of each deployment that were used so far.
    turns: Vec<usize>,
}

impl Run {
    pub(super) fn new(
        epoch: Instant,
        deployments: &IndexMap<String, Vec<Turn>>,
        keep: LedgerMode,
        earlier: EarlierRuns,
    ) -> Self {
        let count = deployments.len();
        let entries = Entries { records: Vec::new(), attempts: vec![0; count], turns: vec![0; count] };
        let cached = |turn: &Turn| Arc::new(DeploymentTurns::new(turn.clone()));
        let healthy =
            Turn { answer: TurnReply::Reply(SuccessReply::Ok), headers: IndexMap::new(), faults: Vec::new() };
        let run = Self {
            epoch,
            healed: CancellationToken::new(),
            keep,
            room: keep.room(),
            account: None,
            before: earlier.attempts,
            turns: deployments.values().map(|turns| turns.iter().map(cached).collect()).collect(),
            healthy: cached(&healthy),
            entries: Mutex::new(entries),
        };
        if earlier.healed {
            run.heal();
        }
        run
    }

    /// Returns what the next run takes over.
    pub(super) fn earlier(&self) -> EarlierRuns {
        let attempts = &locked(&self.entries).attempts;
        EarlierRuns {
            attempts: self.before.iter().zip(attempts).map(|(before, more)| before + more).collect(),
            healed: self.is_healed(),
        }
    }

    pub(super) fn with_account(mut self, account: Option<Account>) -> Self {
        self.account = account.map(|account| Mutex::new(AccountState::new(account)));
        self
    }

    /// Returns whether the account admits a request that arrived at this time. Without an account, or once
    /// the case is healed, all requests pass.
    pub(super) fn admit(
        &self,
        asked: &RequestedCall,
        own_key: impl Fn() -> String,
        arrived: Instant,
    ) -> Admission {
        match &self.account {
            Some(account) if !self.is_healed() => {
                locked(account).admit(asked, &own_key(), arrived.saturating_duration_since(self.epoch))
            }
            _ => Admission::Passes(None),
        }
    }

    /// Adds an attempt. The recorder knows its 1-based number.
    pub(super) fn open(&self, arrival: Arrival, stop: Arc<CancellationToken>) -> AttemptRecorder {
        let recorder = |arrival, n, token_n, room| {
            let record = Arc::new(Mutex::new(Record::new(arrival, n, token_n)));
            AttemptRecorder::new(n, token_n, record, room, stop)
        };
        if self.keep == LedgerMode::Nothing {
            return recorder(arrival, 1, 1, LedgerBudget::None);
        }
        let mut entries = locked(&self.entries);
        let attempts = &mut entries.attempts[arrival.deployment];
        *attempts += 1;
        let n = *attempts;
        let token_n = self.before[arrival.deployment] + n;
        if entries.records.len() >= self.keep.attempts() || self.room.left() == 0 {
            return recorder(arrival, n, token_n, LedgerBudget::None);
        }
        self.room.take(arrival.request.size());
        let recorder = recorder(arrival, n, token_n, self.room.clone());
        entries.records.push(recorder.record().clone());
        recorder
    }

    /// Returns the next turn of a deployment and marks it as used. Attempts that the mock itself refuses do not use a
    /// turn.
    pub(super) fn next_turn(&self, deployment: usize) -> &Arc<DeploymentTurns> {
        let mut turn = 0;
        if self.keep != LedgerMode::Nothing {
            let mut entries = locked(&self.entries);
            turn = entries.turns[deployment];
            entries.turns[deployment] += 1;
        }
        if self.is_healed() { &self.healthy } else { self.turn(deployment, turn) }
    }

    /// Returns the next turn and marks it as used, if `wanted` accepts it.
    pub(super) fn next_turn_if(
        &self,
        deployment: usize,
        wanted: impl FnOnce(&Turn) -> bool,
    ) -> Option<&Arc<DeploymentTurns>> {
        let mut entries = locked(&self.entries);
        let turn = self.turn(deployment, entries.turns[deployment]);
        if !wanted(&turn.turn) {
            return None;
        }
        if self.keep == LedgerMode::Everything {
            entries.turns[deployment] += 1;
        }
        Some(turn)
    }

    /// Returns the turn with this 0-based number; the last one repeats.
    fn turn(&self, deployment: usize, n: usize) -> &Arc<DeploymentTurns> {
        let turns = &self.turns[deployment];
        turns.get(n).or(turns.last()).unwrap_or(&self.healthy)
    }

    /// Returns every attempt. `name` returns the name of the deployment with this index.
    pub(super) fn attempts<'a>(&self, identity: &Identity, name: impl Fn(usize) -> &'a str) -> Vec<Attempt> {
        let records = locked(&self.entries).records.clone();
        let read = |record: &Mutex<Record>| {
            let record = locked(record);
            let attempt = || record.read(self.epoch, identity, name(record.arrival.deployment));
            (!record.is_withdrawn).then(attempt)
        };
        records.iter().filter_map(|record| read(record)).collect()
    }

    /// Returns the number of attempts in the ledger.
    pub(super) fn arrived(&self) -> usize {
        locked(&self.entries).records.len()
    }

    /// Returns the number of further attempts, for which the ledger had no room.
    pub(super) fn not_kept(&self) -> usize {
        let entries = locked(&self.entries);
        entries.attempts.iter().map(|n| *n as usize).sum::<usize>() - entries.records.len()
    }

    pub(super) fn open_attempts(&self) -> usize {
        let records = locked(&self.entries).records.clone();
        records.iter().filter(|record| locked(record).end == AttemptEnd::Open).count()
    }

    pub(super) fn heal(&self) {
        self.healed.cancel();
    }

    /// Resolves once all deployments are healed.
    pub(super) async fn healed(&self) {
        self.healed.cancelled().await;
    }

    pub(super) fn is_healed(&self) -> bool {
        self.healed.is_cancelled()
    }
}
