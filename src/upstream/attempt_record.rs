//! The ledger's record of one attempt.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    prepared_reply::PreparedReply,
    received::{ReadRequest, ReceivedRequest},
    sent_bytes::SentBytes,
};
use crate::{
    fault::Framing,
    observation::{Attempt, AttemptEnd, Identity, ReceivedClose, SentPause, SentReply},
    provider::owned_headers,
    scenario::{Api, Turn},
    wire::content_coding,
};

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
    /// Whether it turned out not to be an attempt.
    pub(super) is_withdrawn: bool,
    /// The messages from the client of a WebSocket, one per line.
    pub(super) heard: String,
    pub(super) closed: Option<ReceivedClose>,
    pub(super) timer_error_ms: f64,
    pub(super) pauses: Vec<Pause>,
    pub(super) ends_at_once: Option<AttemptEnd>,
    pub(super) end: AttemptEnd,
    pub(super) ended: Option<Instant>,
}

/// A long pause in a body.
pub(super) struct Pause {
    /// The number of body bytes before it.
    pub(super) after: u64,
    pub(super) from: Instant,
    /// `None` until it is over.
    pub(super) until: Option<Instant>,
}

/// A request that has reached a deployment.
pub(super) struct Arrival {
    pub(super) deployment: usize,
    pub(super) at: Instant,
    pub(super) request: ReceivedRequest,
}

impl Record {
    pub(super) fn new(arrival: Arrival, n: u32, token_n: u32) -> Self {
        Self {
            arrival,
            n,
            token_n,
            api: None,
            turn: None,
            sent: SentBytes::default(),
            prepared: None,
            doubtful: false,
            is_withdrawn: false,
            heard: String::new(),
            closed: None,
            timer_error_ms: 0.0,
            pauses: Vec::new(),
            ends_at_once: None,
            end: AttemptEnd::Open,
            ended: None,
        }
    }

    /// Returns the attempt at the deployment with this name.
    pub(super) fn read(&self, epoch: Instant, identity: &Identity, deployment: &str) -> Attempt {
        let ReadRequest { method, path, headers, body } = self.arrival.request.read();
        let stem = || identity.stem(deployment, self.token_n);
        let prepared = self.prepared.as_ref().map(|(reply, kept)| SentBytes::of(reply, &stem(), *kept));
        let SentBytes { head, body: sent_body, bytes, frames, broken_after } =
            prepared.as_ref().unwrap_or(&self.sent);
        let pause = |pause: &Pause| SentPause {
            after_bytes: pause.after,
            from_ms: millis(epoch, pause.from),
            until_ms: pause.until.or(self.ended).map(|until| millis(epoch, until)),
        };
        let mut sent = SentReply {
            bytes: *bytes,
            frames: *frames,
            broken_after: *broken_after,
            doubtful: self.doubtful,
            closed: self.closed.clone(),
            timer_error_ms: self.timer_error_ms,
            pauses: self.pauses.iter().map(pause).collect(),
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
        sent.set_written_body(sent_body);
        // A proxy need not understand a coding that it did not ask for.
        let asked =
            headers.iter().find(|(name, _)| name == "accept-encoding").map(|(_, value)| value.as_str());
        sent.doubtful |= content_coding::declared(sent.header("content-encoding")).is_some_and(|codings| {
            !codings.split(',').all(|coding| content_coding::accepts(asked, coding.trim()))
        });
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

/// Returns the milliseconds from `epoch` to `at`, negative if `at` is earlier.
pub(super) fn millis(epoch: Instant, at: Instant) -> f64 {
    match at.checked_duration_since(epoch) {
        Some(time) => time.as_secs_f64() * 1e3,
        None => -(epoch.saturating_duration_since(at).as_secs_f64() * 1e3),
    }
}
