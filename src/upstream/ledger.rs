//! The ledger: what the mock received and sent, attempt by attempt.

use std::sync::{Arc, Mutex};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attempt_recorder::AttemptRecorder,
    ledger_budget::{LedgerBudget, LedgerMode},
    locked::locked,
    prepared_reply::PreparedReply,
    received::{ReadRequest, ReceivedRequest},
    sent_bytes::SentBytes,
};
use crate::{
    fault::Framing,
    observation::{Attempt, AttemptEnd, Identity, ReceivedClose, SentReply},
    provider::{AccountState, Admission, RequestedCall, owned_headers},
    scenario::{Account, Api, Turn},
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

/// One attempt, in a form that is cheap to write.
pub(super) struct Record {
    pub(super) arrival: Arrival,
    /// 1-based attempt number at its deployment.
    n: u32,
    /// The attempt number in its canaries, which continues from one run of the case to the next.
    token_n: u32,
    pub(super) api: Option<Api>,
    pub(super) turn: Option<Arc<Turn>>,
    pub(super) sent: SentBytes,
    /// A prepared reply that was sent as a whole, and the number of bytes that the ledger keeps of its body.
    pub(super) prepared: Option<(Arc<PreparedReply>, usize)>,
    pub(super) doubtful: bool,
    /// The messages from the client of a WebSocket, one per line.
    pub(super) heard: String,
    pub(super) closed: Option<ReceivedClose>,
    pub(super) timer_error_ms: f64,
    pub(super) ends_at_once: Option<AttemptEnd>,
    pub(super) end: AttemptEnd,
    pub(super) ended: Option<Instant>,
}

/// A request that has reached a deployment.
pub(super) struct Arrival {
    pub(super) deployment: usize,
    pub(super) at: Instant,
    pub(super) request: ReceivedRequest,
}

impl Record {
    fn new(arrival: Arrival, n: u32, token_n: u32) -> Self {
        Self {
            arrival,
            n,
            token_n,
            api: None,
            turn: None,
            sent: SentBytes::default(),
            prepared: None,
            doubtful: false,
            heard: String::new(),
            closed: None,
            timer_error_ms: 0.0,
            ends_at_once: None,
            end: AttemptEnd::Open,
            ended: None,
        }
    }

    /// Returns the attempt at the deployment with this name.
    fn read(&self, epoch: Instant, identity: &Identity, deployment: &str) -> Attempt {
        let ReadRequest { method, path, headers, body } = self.arrival.request.read();
        let stem = || identity.stem(deployment, self.token_n);
        let prepared = self.prepared.as_ref().map(|(reply, kept)| SentBytes::of(reply, &stem(), *kept));
        let SentBytes { head, body: sent_body, bytes, frames, broken_after } =
            prepared.as_ref().unwrap_or(&self.sent);
        let mut sent = SentReply {
            bytes: *bytes,
            frames: *frames,
            broken_after: *broken_after,
            doubtful: self.doubtful,
            closed: self.closed.clone(),
            timer_error_ms: self.timer_error_ms,
            ends_at_once: self.ends_at_once.filter(|_| self.end == AttemptEnd::ClientLeft),
            ..SentReply::default()
        };
        if let Some(head) = head {
            let framing = match head.framing {
                Framing::Chunked => Some(("transfer-encoding".to_owned(), "chunked".to_owned())),
                Framing::Length(n) => Some(("content-length".to_owned(), n.to_string())),
                Framing::UntilClose | Framing::WebSocket | Framing::None => None,
            };
            sent.status = Some(head.status);
            sent.headers = owned_headers(&head.headers);
            sent.headers.extend(framing);
        }
        sent.set_body(sent_body);
        Attempt {
            deployment: deployment.to_owned(),
            n: self.n,
            at_ms: millis(epoch, self.arrival.at),
            method,
            path,
            api: self.api,
            headers,
            body: body + &self.heard,
            turn: self.turn.as_deref().cloned(),
            canaries: identity.canaries(deployment, self.token_n),
            sent,
            end: self.end,
            end_ms: self.ended.map(|ended| millis(epoch, ended)),
        }
    }
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

/// Returns the milliseconds from `epoch` to `at`, negative if `at` is earlier.
pub(super) fn millis(epoch: Instant, at: Instant) -> f64 {
    match at.checked_duration_since(epoch) {
        Some(time) => time.as_secs_f64() * 1e3,
        None => -(epoch.saturating_duration_since(at).as_secs_f64() * 1e3),
    }
}
