//! The ledger: what the mock received and sent, attempt by attempt.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attempt_record::{Arrival, Record},
    attempt_recorder::AttemptRecorder,
    ledger_budget::{LedgerBudget, LedgerMode},
    locked::locked,
};
use crate::{
    observation::{Attempt, AttemptEnd, Identity},
    provider::{AccountState, Admission, RequestedCall},
    scenario::Account,
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
    entries: Mutex<Entries>,
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
    pub(super) fn new(epoch: Instant, deployments: usize, keep: LedgerMode) -> Self {
        let entries =
            Entries { records: Vec::new(), attempts: vec![0; deployments], turns: vec![0; deployments] };
        Self {
            epoch,
            healed: CancellationToken::new(),
            keep,
            room: keep.room(),
            account: None,
            before: vec![0; deployments],
            entries: Mutex::new(entries),
        }
    }

    /// Continues the attempt numbers in canaries after an earlier run of the same case, so that no canary
    /// occurs twice.
    pub(super) fn after(mut self, earlier: &Self) -> Self {
        let attempts = &locked(&earlier.entries).attempts;
        self.before = earlier.before.iter().zip(attempts).map(|(before, more)| before + more).collect();
        self
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

    /// Returns the 0-based number of the next turn of a deployment and marks it as used. Attempts that the
    /// mock itself refuses do not use a turn.
    pub(super) fn next_turn(&self, deployment: usize) -> usize {
        if self.keep == LedgerMode::Nothing {
            return 0;
        }
        let mut entries = locked(&self.entries);
        let turn = entries.turns[deployment];
        entries.turns[deployment] += 1;
        turn
    }

    /// Returns the number of the next turn and marks it as used, if `wanted` accepts it.
    pub(super) fn next_turn_if(
        &self,
        deployment: usize,
        wanted: impl FnOnce(usize) -> bool,
    ) -> Option<usize> {
        let mut entries = locked(&self.entries);
        let turn = entries.turns[deployment];
        if !wanted(turn) {
            return None;
        }
        if self.keep == LedgerMode::Everything {
            entries.turns[deployment] += 1;
        }
        Some(turn)
    }

    /// Returns every attempt. `name` returns the name of the deployment with this index.
    pub(super) fn attempts<'a>(&self, identity: &Identity, name: impl Fn(usize) -> &'a str) -> Vec<Attempt> {
        let records = locked(&self.entries).records.clone();
        let read = |record: &Mutex<Record>| {
            let record = locked(record);
            record.read(self.epoch, identity, name(record.arrival.deployment))
        };
        records.iter().map(|record| read(record)).collect()
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
