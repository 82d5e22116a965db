//! What the mock saw and did, attempt by attempt.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    fault::{Framing, Head},
    observation::{Attempt, AttemptEnd},
    provider::{AccountState, Admission, Asked},
    scenario::{Account, Turn},
};

/// How much of a body is kept, on either way.
pub(super) const KEPT_BODY: usize = 1024 * 1024;

/// What a ledger remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Every attempt.
    Everything,
    /// Nothing: each attempt is the first.
    Nothing,
}

/// The ledger of one run of a case. A second run gets a ledger of its own, and what connections of
/// the first still do goes to the first's.
pub(super) struct Run {
    /// From when times count.
    pub(super) epoch: Instant,
    /// Every deployment answers well from now on.
    pub(super) healed: AtomicBool,
    keep: Keep,
    account: Option<Mutex<AccountState>>,
    entries: Mutex<Entries>,
}

struct Entries {
    /// In order of arrival.
    records: Vec<Arc<Mutex<Record>>>,
    /// Attempts of each deployment so far.
    attempts: Vec<u32>,
    /// Turns of each deployment that were played so far.
    turns: Vec<usize>,
}

struct Record {
    attempt: Attempt,
    body: Vec<u8>,
}

impl Run {
    pub(super) fn new(epoch: Instant, deployments: usize, keep: Keep) -> Self {
        let entries =
            Entries { records: Vec::new(), attempts: vec![0; deployments], turns: vec![0; deployments] };
        Self { epoch, healed: AtomicBool::new(false), keep, account: None, entries: Mutex::new(entries) }
    }

    pub(super) fn with_account(mut self, account: Option<Account>) -> Self {
        self.account = account.map(|account| Mutex::new(AccountState::new(account)));
        self
    }

    /// What the account says to a request that arrived then; nothing where there is none, or
    /// where everything is well by now.
    pub(super) fn admit(&self, asked: &Asked, own_key: &str, arrived: Instant) -> Admission {
        match &self.account {
            Some(account) if !self.is_healed() => {
                locked(account).admit(asked, own_key, arrived.saturating_duration_since(self.epoch))
            }
            _ => Admission::Passes(None),
        }
    }

    /// Enters an attempt at the `deployment`-th deployment; `make` gets its number, from 1.
    pub(super) fn open(
        &self,
        deployment: usize,
        stop: CancellationToken,
        make: impl FnOnce(u32) -> Attempt,
    ) -> Recorder {
        if self.keep == Keep::Nothing {
            let record = Arc::new(Mutex::new(Record { attempt: make(1), body: Vec::new() }));
            return Recorder { epoch: self.epoch, record, stop };
        }
        let mut entries = locked(&self.entries);
        entries.attempts[deployment] += 1;
        let attempt = make(entries.attempts[deployment]);
        let record = Arc::new(Mutex::new(Record { attempt, body: Vec::new() }));
        entries.records.push(record.clone());
        Recorder { epoch: self.epoch, record, stop }
    }

    /// The number of the turn that is played next at a deployment, from 0. Attempts that the mock
    /// itself refuses don't play one.
    pub(super) fn next_turn(&self, deployment: usize) -> usize {
        if self.keep == Keep::Nothing {
            return 0;
        }
        let mut entries = locked(&self.entries);
        let turn = entries.turns[deployment];
        entries.turns[deployment] += 1;
        turn
    }

    /// The number of the turn that is played next, if it is a `wanted` one; then it is played by
    /// whoever asks.
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
        if self.keep == Keep::Everything {
            entries.turns[deployment] += 1;
        }
        Some(turn)
    }

    pub(super) fn attempts(&self) -> Vec<Attempt> {
        let records = locked(&self.entries).records.clone();
        records
            .iter()
            .map(|record| {
                let record = locked(record);
                let mut attempt = record.attempt.clone();
                attempt.sent.set_body(&record.body);
                attempt
            })
            .collect()
    }

    pub(super) fn open_attempts(&self) -> usize {
        let records = locked(&self.entries).records.clone();
        records.iter().filter(|record| locked(record).attempt.end == AttemptEnd::Open).count()
    }

    pub(super) fn heal(&self) {
        self.healed.store(true, Ordering::Release);
    }

    pub(super) fn is_healed(&self) -> bool {
        self.healed.load(Ordering::Acquire)
    }
}

/// A request as it stands in the ledger.
#[derive(Default)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// Writes one attempt's record. An attempt whose recorder is dropped before an end was written
/// lost its client, unless the case itself was over.
pub(super) struct Recorder {
    epoch: Instant,
    record: Arc<Mutex<Record>>,
    stop: CancellationToken,
}

impl Recorder {
    /// The how-manieth attempt at its deployment it is.
    pub(super) fn number(&self) -> u32 {
        locked(&self.record).attempt.n
    }

    /// The request that came on a connection which was an attempt already.
    pub(super) fn asked(&self, request: Request) {
        let attempt = &mut locked(&self.record).attempt;
        attempt.method = request.method;
        attempt.path = request.path;
        attempt.headers = request.headers;
        attempt.body = request.body;
    }

    /// What was understood of the request.
    pub(super) fn asks(&self, asked: &Asked) {
        locked(&self.record).attempt.api = asked.api;
    }

    pub(super) fn plays(&self, turn: Turn) {
        locked(&self.record).attempt.turn = Some(turn);
    }

    pub(super) fn head(&self, head: &Head) {
        let framing = match head.framing {
            Framing::Chunked => Some(("transfer-encoding".to_owned(), "chunked".to_owned())),
            Framing::Length(n) => Some(("content-length".to_owned(), n.to_string())),
            Framing::UntilClose | Framing::None => None,
        };
        let sent = &mut locked(&self.record).attempt.sent;
        sent.status = Some(head.status);
        sent.headers = head.headers.clone();
        sent.headers.extend(framing);
    }

    pub(super) fn wrote(&self, bytes: &Bytes, completes_frame: bool) {
        let mut record = locked(&self.record);
        let kept = bytes.len().min(KEPT_BODY.saturating_sub(record.body.len()));
        record.body.extend_from_slice(&bytes[..kept]);
        record.attempt.sent.bytes += bytes.len() as u64;
        record.attempt.sent.frames += u32::from(completes_frame);
    }

    /// What is sent from now on cannot be read.
    pub(super) fn broke(&self) {
        let sent = &mut locked(&self.record).attempt.sent;
        sent.broken_after.get_or_insert(sent.bytes);
    }

    /// A sound client may take or refuse what is sent.
    pub(super) fn doubts(&self) {
        locked(&self.record).attempt.sent.doubtful = true;
    }

    /// A wait was over so many milliseconds too late.
    pub(super) fn woke(&self, late_ms: f64) {
        let sent = &mut locked(&self.record).attempt.sent;
        sent.timer_error_ms = sent.timer_error_ms.max(late_ms);
    }

    pub(super) fn end(self, end: AttemptEnd) {
        self.close(end);
    }

    fn close(&self, end: AttemptEnd) {
        let now = millis(self.epoch, Instant::now());
        let attempt = &mut locked(&self.record).attempt;
        if attempt.end == AttemptEnd::Open {
            attempt.end = end;
            attempt.end_ms = Some(now);
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            self.close(AttemptEnd::ClientLeft);
        }
    }
}

/// Milliseconds from `epoch` to `at`; negative where `at` is earlier.
pub(super) fn millis(epoch: Instant, at: Instant) -> f64 {
    match at.checked_duration_since(epoch) {
        Some(time) => time.as_secs_f64() * 1e3,
        None => -(epoch.saturating_duration_since(at).as_secs_f64() * 1e3),
    }
}

/// What is kept under these locks is whole after every statement, so a panic elsewhere while one
/// is held does no harm.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
