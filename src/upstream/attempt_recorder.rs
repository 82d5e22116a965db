//! Writes the ledger's record of one attempt.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    attempt_record::{Pause, Record},
    ledger_budget::LedgerBudget,
    locked::locked,
    prepared_reply::PreparedReply,
    received::ReceivedRequest,
    sent_bytes::SentBytes,
};
use crate::{
    fault::{Head, Plan, WireAction},
    observation::{AttemptEnd, MAX_KEPT_BODY, ReceivedClose},
    scenario::{Api, Turn},
};

/// The shortest pause that is recorded.
const LONG_PAUSE: Duration = Duration::from_millis(500);

/// Writes the record of one attempt. If it is dropped before an end was written, the client has left, unless
/// the case itself is over.
///
/// What is sent enters the record when it is flushed or when the attempt ends, all at once.
pub(super) struct AttemptRecorder {
    /// 1-based attempt number at its deployment.
    pub(super) n: u32,
    /// The attempt number in the canaries of this attempt.
    pub(super) token_n: u32,
    record: Arc<Mutex<Record>>,
    /// The budget for the bytes of the record.
    room: LedgerBudget,
    stop: Arc<CancellationToken>,
    /// What was sent and is not in the record yet.
    unflushed: SentBytes,
    /// The number of body bytes that the record keeps.
    kept: usize,
}

impl AttemptRecorder {
    pub(super) fn new(
        n: u32,
        token_n: u32,
        record: Arc<Mutex<Record>>,
        room: LedgerBudget,
        stop: Arc<CancellationToken>,
    ) -> Self {
        Self { n, token_n, record, room, stop, unflushed: SentBytes::default(), kept: 0 }
    }

    pub(super) fn record(&self) -> &Arc<Mutex<Record>> {
        &self.record
    }

    /// Sets the request of an attempt that began with its connection.
    pub(super) fn asked(&self, request: ReceivedRequest) {
        self.room.take(request.size());
        locked(&self.record).arrival.request = request;
    }

    /// Records the turn of an attempt that begins with its connection.
    pub(super) fn plays(&self, turn: Arc<Turn>) {
        locked(&self.record).turn = Some(turn);
    }

    /// Records the API of the request, and the turn if one is used.
    pub(super) fn answers(&self, api: Option<Api>, turn: Option<Arc<Turn>>) {
        let mut record = locked(&self.record);
        record.api = api;
        record.turn = turn.or(record.turn.take());
    }

    /// Records the plan before it is performed.
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

    /// Records the head. `length` is the length of the whole planned body.
    pub(super) fn head(&mut self, head: Head, length: usize) {
        self.unflushed.head = Some(head);
        self.unflushed.body.reserve_exact(length.min(MAX_KEPT_BODY).min(self.room.left()));
    }

    pub(super) fn wrote(&mut self, bytes: &Bytes, completes_frame: bool) {
        let kept = self.room.take(bytes.len().min(MAX_KEPT_BODY.saturating_sub(self.kept)));
        self.kept += kept;
        self.unflushed.write(bytes, kept, completes_frame);
    }

    /// Records that a client cannot read anything that is sent from now on.
    pub(super) fn broke(&mut self) {
        self.unflushed.break_here();
    }

    /// Records that everything so far has been sent.
    pub(super) fn flushed(&mut self) {
        locked(&self.record).sent.append(std::mem::take(&mut self.unflushed));
    }

    /// Records that a pause of this length begins, if it is long and the body has begun.
    pub(super) fn pauses(&self, time: Duration) {
        let mut record = locked(&self.record);
        let after = record.sent.bytes;
        if time >= LONG_PAUSE && after > 0 {
            record.pauses.push(Pause { after, from: Instant::now(), until: None });
        }
    }

    /// Records that a pause is over.
    pub(super) fn resumes(&self) {
        if let Some(pause) = locked(&self.record).pauses.last_mut() {
            pause.until.get_or_insert_with(Instant::now);
        }
    }

    /// Records a message from the client of a WebSocket.
    pub(super) fn heard(&self, text: &str) {
        let mut record = locked(&self.record);
        let length = text.len() + 1;
        if record.heard.len() + length <= MAX_KEPT_BODY && self.room.take(length) == length {
            record.heard.push_str(text);
            record.heard.push('\n');
        }
    }

    /// Records the close frame of a WebSocket session.
    pub(super) fn closed(&self, closed: ReceivedClose) {
        locked(&self.record).closed = Some(closed);
    }

    /// Records that a wait ended this many milliseconds late.
    pub(super) fn woke(&self, late_ms: f64) {
        let mut record = locked(&self.record);
        record.timer_error_ms = record.timer_error_ms.max(late_ms);
    }

    /// Records that the whole of a prepared reply is sent, with a body of this length.
    pub(super) fn sends(self, reply: Arc<PreparedReply>, length: usize) {
        let kept = self.room.take(length.min(MAX_KEPT_BODY));
        locked(&self.record).prepared = Some((reply, kept));
        self.end(AttemptEnd::Finished);
    }

    /// Removes the attempt from the ledger.
    pub(super) fn withdraw(self) {
        locked(&self.record).is_withdrawn = true;
    }

    pub(super) fn end(mut self, end: AttemptEnd) {
        self.close(end);
    }

    fn close(&mut self, end: AttemptEnd) {
        let mut record = locked(&self.record);
        record.sent.append(std::mem::take(&mut self.unflushed));
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
