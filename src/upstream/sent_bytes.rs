//! What was sent in reply to one attempt.

use super::prepared_reply::PreparedReply;
use crate::fault::{Head, WireAction};

/// The head and the body of a reply as far as they were sent.
#[derive(Default)]
pub(super) struct SentBytes {
    pub(super) head: Option<Head>,
    /// The part of the body that the ledger keeps.
    pub(super) body: Vec<u8>,
    /// The number of bytes of the body.
    pub(super) bytes: u64,
    /// The number of complete frames.
    pub(super) frames: u32,
    /// The number of bytes after which a client cannot read anything.
    pub(super) broken_after: Option<u64>,
}

impl SentBytes {
    /// Returns the whole reply to the attempt with this stem. The ledger keeps `kept` bytes of its body.
    pub(super) fn of(reply: &PreparedReply, stem: &str, kept: usize) -> Self {
        let mut sent = Self::default();
        for action in reply.actions(stem) {
            match action {
                WireAction::Head(head) => sent.head = Some(head),
                WireAction::Write { bytes, completes_frame } => {
                    sent.write(&bytes, (kept - sent.body.len()).min(bytes.len()), completes_frame);
                }
                _ => {}
            }
        }
        sent
    }

    /// Adds bytes of the body, of which the ledger keeps the first `kept`.
    pub(super) fn write(&mut self, bytes: &[u8], kept: usize, completes_frame: bool) {
        self.body.extend_from_slice(&bytes[..kept]);
        self.bytes += bytes.len() as u64;
        self.frames += u32::from(completes_frame);
    }

    /// Notes that a client cannot read anything after the bytes so far.
    pub(super) fn break_here(&mut self) {
        self.broken_after.get_or_insert(self.bytes);
    }

    /// Adds what was sent later.
    pub(super) fn append(&mut self, later: Self) {
        if let Some(broken_after) = later.broken_after {
            self.broken_after.get_or_insert(self.bytes + broken_after);
        }
        self.head = later.head.or(self.head.take());
        if self.body.is_empty() {
            self.body = later.body;
        } else {
            self.body.extend_from_slice(&later.body);
        }
        self.bytes += later.bytes;
        self.frames += later.frames;
    }
}
