//! What the mock saw and did, attempt by attempt.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    ledger_budget::{LedgerBudget, LedgerMode, MAX_KEPT_BODY},
    received::{ReadRequest, ReceivedRequest},
};
use crate::{
    fault::{Framing, Head, Plan, WireAction},
    observation::{Attempt, AttemptEnd, Identity, ReceivedClose, SentReply},
    provider::{AccountState, Admission, RequestedCall, owned_headers},
    scenario::{Account, Api, Turn},
};

/// The ledger of one run of a case. A second run gets a ledger of its own, and what connections of
/// the first still do goes to the first's.
pub(super) struct Run {
    /// From when times count.
    pub(super) epoch: Instant,
    /// Every deployment answers well from now on.
    healed: CancellationToken,
    keep: LedgerMode,
    room: LedgerBudget,
    account: Option<Mutex<AccountState>>,
    /// Attempts of each deployment in the runs before this one.
    before: Vec<u32>,
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

/// One attempt, as it is cheapest to write.
struct Record {
    arrival: Arrival,
    /// 1-based attempt number at its deployment.
    n: u32,
    /// The number in its tokens: that of the attempt, counted on from one run of the case to the next.
    token_n: u32,
    api: Option<Api>,
    turn: Option<Arc<Turn>>,
    head: Option<Head>,
    body: Vec<u8>,
    /// Body bytes handed over.
    bytes: u64,
    /// Whole frames handed over.
    frames: u32,
    broken_after: Option<u64>,
    doubtful: bool,
    /// What the client of a WebSocket said, a message a line.
    heard: String,
    closed: Option<ReceivedClose>,
    timer_error_ms: f64,
    ends_at_once: Option<AttemptEnd>,
    end: AttemptEnd,
    ended: Option<Instant>,
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
            head: None,
            body: Vec::new(),
            bytes: 0,
            frames: 0,
            broken_after: None,
            doubtful: false,
            heard: String::new(),
            closed: None,
            timer_error_ms: 0.0,
            ends_at_once: None,
            end: AttemptEnd::Open,
            ended: None,
        }
    }

    /// The attempt at a deployment of this name.
    fn read(&self, epoch: Instant, identity: &Identity, deployment: &str) -> Attempt {
        let ReadRequest { method, path, headers, body } = self.arrival.request.read();
        let mut sent = SentReply {
            bytes: self.bytes,
            frames: self.frames,
            broken_after: self.broken_after,
            doubtful: self.doubtful,
            closed: self.closed.clone(),
            timer_error_ms: self.timer_error_ms,
            ends_at_once: self.ends_at_once.filter(|_| self.end == AttemptEnd::ClientLeft),
            ..SentReply::default()
        };
        if let Some(head) = &self.head {
            let framing = match head.framing {
                Framing::Chunked => Some(("transfer-encoding".to_owned(), "chunked".to_owned())),
                Framing::Length(n) => Some(("content-length".to_owned(), n.to_string())),
                Framing::UntilClose | Framing::WebSocket | Framing::None => None,
            };
            sent.status = Some(head.status);
            sent.headers = owned_headers(&head.headers);
            sent.headers.extend(framing);
        }
        sent.set_body(&self.body);
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

    /// The same after another run of the same case: no token of that one is planted again.
    pub(super) fn after(mut self, earlier: &Self) -> Self {
        let attempts = &locked(&earlier.entries).attempts;
        self.before = earlier.before.iter().zip(attempts).map(|(before, more)| before + more).collect();
        self
    }

    pub(super) fn with_account(mut self, account: Option<Account>) -> Self {
        self.account = account.map(|account| Mutex::new(AccountState::new(account)));
        self
    }

    /// What the account says to a request that arrived then; nothing where there is none, or
    /// where everything is well by now.
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

    /// Enters an attempt; the recorder knows its number, from 1.
    pub(super) fn open(&self, arrival: Arrival, stop: CancellationToken) -> AttemptRecorder {
        let recorder = |arrival, n, token_n, room| {
            let record = Arc::new(Mutex::new(Record::new(arrival, n, token_n)));
            AttemptRecorder { n, token_n, record, room, stop }
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
        entries.records.push(recorder.record.clone());
        recorder
    }

    /// The number of the turn that is played next at a deployment, from 0. Attempts that the mock
    /// itself refuses don't play one.
    pub(super) fn next_turn(&self, deployment: usize) -> usize {
        if self.keep == LedgerMode::Nothing {
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
        if self.keep == LedgerMode::Everything {
            entries.turns[deployment] += 1;
        }
        Some(turn)
    }

    /// Every attempt; `name` tells the name of the so-manieth deployment.
    pub(super) fn attempts<'a>(&self, identity: &Identity, name: impl Fn(usize) -> &'a str) -> Vec<Attempt> {
        let records = locked(&self.entries).records.clone();
        let read = |record: &Mutex<Record>| {
            let record = locked(record);
            record.read(self.epoch, identity, name(record.arrival.deployment))
        };
        records.iter().map(|record| read(record)).collect()
    }

    /// How many attempts there have been.
    pub(super) fn arrived(&self) -> usize {
        locked(&self.entries).records.len()
    }

    /// How many attempts there have been besides, for which there was no room.
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

    /// Ready when every deployment answers well.
    pub(super) async fn healed(&self) {
        self.healed.cancelled().await;
    }

    pub(super) fn is_healed(&self) -> bool {
        self.healed.is_cancelled()
    }
}

/// Writes one attempt's record. An attempt whose recorder is dropped before an end was written
/// lost its client, unless the case itself was over.
pub(super) struct AttemptRecorder {
    /// 1-based attempt number at its deployment.
    pub(super) n: u32,
    /// The number in the tokens that the attempt plants.
    pub(super) token_n: u32,
    record: Arc<Mutex<Record>>,
    /// For the bytes of the record.
    room: LedgerBudget,
    stop: CancellationToken,
}

impl AttemptRecorder {
    /// The request that came on a connection which was an attempt already.
    pub(super) fn asked(&self, request: ReceivedRequest) {
        self.room.take(request.size());
        locked(&self.record).arrival.request = request;
    }

    /// What was understood of the request.
    pub(super) fn asks(&self, asked: &RequestedCall) {
        locked(&self.record).api = asked.api;
    }

    pub(super) fn plays(&self, turn: Arc<Turn>) {
        locked(&self.record).turn = Some(turn);
    }

    /// What is going to be performed, before any of it is.
    pub(super) fn plans(&self, plan: &Plan) {
        let ends_at_once = plan.ending_at_once().and_then(|ending| match ending {
            WireAction::Finish | WireAction::Overrun(_) | WireAction::CloseWhenReused => {
                Some(AttemptEnd::Finished)
            }
            WireAction::Close => Some(AttemptEnd::Closed),
            WireAction::Reset => Some(AttemptEnd::Reset),
            _ => None,
        });
        let mut record = locked(&self.record);
        record.ends_at_once = ends_at_once;
        record.doubtful |= plan.doubtful;
    }

    /// `length` is that of the whole body as it is planned.
    pub(super) fn head(&self, head: Head, length: usize) {
        let mut record = locked(&self.record);
        record.head = Some(head);
        record.body.reserve_exact(length.min(MAX_KEPT_BODY).min(self.room.left()));
    }

    pub(super) fn wrote(&self, bytes: &Bytes, completes_frame: bool) {
        let mut record = locked(&self.record);
        let kept = self.room.take(bytes.len().min(MAX_KEPT_BODY.saturating_sub(record.body.len())));
        record.body.extend_from_slice(&bytes[..kept]);
        record.bytes += bytes.len() as u64;
        record.frames += u32::from(completes_frame);
    }

    /// The client of a WebSocket said something.
    pub(super) fn heard(&self, text: &str) {
        let mut record = locked(&self.record);
        let length = text.len() + 1;
        if record.heard.len() + length <= MAX_KEPT_BODY && self.room.take(length) == length {
            record.heard.push_str(text);
            record.heard.push('\n');
        }
    }

    /// A WebSocket session ends by this frame.
    pub(super) fn closed(&self, closed: ReceivedClose) {
        locked(&self.record).closed = Some(closed);
    }

    /// What is sent from now on cannot be read.
    pub(super) fn broke(&self) {
        let mut record = locked(&self.record);
        let bytes = record.bytes;
        record.broken_after.get_or_insert(bytes);
    }

    /// A wait was over so many milliseconds too late.
    pub(super) fn woke(&self, late_ms: f64) {
        let mut record = locked(&self.record);
        record.timer_error_ms = record.timer_error_ms.max(late_ms);
    }

    pub(super) fn end(self, end: AttemptEnd) {
        self.close(end);
    }

    fn close(&self, end: AttemptEnd) {
        let mut record = locked(&self.record);
        if record.end == AttemptEnd::Open {
            record.end = end;
            record.ended = Some(Instant::now());
        }
    }
}

impl Drop for AttemptRecorder {
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
