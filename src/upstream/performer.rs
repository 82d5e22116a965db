//! Performs plans with one loop for every protocol: a [`ReplySink`] does each action in its own protocol.

use std::{io, time::Duration};

use bytes::Bytes;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::{attempt_recorder::AttemptRecorder, delay_clock::DelayClock};
use crate::fault::{Head, Plan, WireAction};

/// The client has left, or the connection failed, so the rest of the plan cannot be performed.
pub(super) struct ClientLeft;

impl From<io::Error> for ClientLeft {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// Where a plan is performed: the connection or the stream of one reply. It may collect bytes until they are
/// flushed, so that a client reads together what is due at the same time.
pub(super) trait ReplySink: Sized {
    /// What the owner of the connection must know after the reply, for example whether the connection can be used again.
    type Rest;

    /// Writes the status line and the headers.
    async fn head(&mut self, head: &Head) -> Result<(), ClientLeft>;

    /// Writes bytes: those of the body, or `raw` ones, which no framing surrounds.
    async fn write(&mut self, bytes: Bytes, raw: bool) -> Result<(), ClientLeft>;

    /// Sends what was written. The client may read it together with what follows.
    async fn flush(&mut self) -> Result<(), ClientLeft>;

    /// Sends what was written as a packet: what follows must not reach the client in the same read.
    async fn packet(&mut self) -> Result<(), ClientLeft>;

    /// Waits until the client of a session has sent an event of this type. Other sinks return at once.
    async fn hear(&mut self, kind: &str, recorder: &AttemptRecorder) -> Result<(), ClientLeft>;

    /// Resolves when the client has left. Cancel-safe.
    async fn left(&mut self, recorder: &AttemptRecorder);

    /// Stops reacting to what the client sends, even to pings. Only sessions react.
    fn fall_silent(&mut self) {}

    /// Performs the ending, and records it as the end of the attempt.
    async fn end(self, ending: WireAction, recorder: AttemptRecorder) -> Result<Self::Rest, ClientLeft>;
}

/// Performs a whole plan. If the client leaves, dropping the recorder records the end of the attempt.
///
/// When `stop` is cancelled, a wait or a hang is given up and the connection is closed.
pub(super) async fn perform<S: ReplySink>(
    plan: Plan,
    mut sink: S,
    mut recorder: AttemptRecorder,
    stop: &CancellationToken,
) -> Result<S::Rest, ClientLeft> {
    let mut clock = DelayClock::default();
    let length = body_length(&plan.actions);
    for action in plan.actions {
        match action {
            WireAction::Head(head) => {
                sink.head(&head).await?;
                recorder.head(head, length);
            }
            WireAction::Write { bytes, completes_frame } => {
                // The record comes first, so that an observer who sees the bytes finds them there.
                recorder.wrote(&bytes, completes_frame);
                sink.write(bytes, false).await?;
            }
            WireAction::Raw { bytes, breaks, body } => {
                if breaks {
                    recorder.broke();
                }
                if body {
                    recorder.wrote(&bytes, false);
                }
                sink.write(bytes, true).await?;
            }
            WireAction::Flush => {
                recorder.flushed();
                sink.packet().await?;
            }
            WireAction::Await(kind) => {
                recorder.flushed();
                sink.flush().await?;
                sink.hear(kind, &recorder).await?;
            }
            WireAction::Wait(time) => {
                recorder.flushed();
                sink.flush().await?;
                recorder.pauses(time);
                let due = clock.due(time);
                tokio::select! {
                    () = sleep_until(due) => {}
                    () = sink.left(&recorder) => return Err(ClientLeft),
                    () = stop.cancelled() => return sink.end(WireAction::Close, recorder).await,
                }
                recorder.resumes();
                recorder.woke(clock.woke(due));
            }
            WireAction::Hang => {
                recorder.flushed();
                sink.flush().await?;
                recorder.pauses(Duration::MAX);
                sink.fall_silent();
                tokio::select! {
                    () = sink.left(&recorder) => return Err(ClientLeft),
                    () = stop.cancelled() => return sink.end(WireAction::Close, recorder).await,
                }
            }
            // Every other action is an ending.
            ending => return sink.end(ending, recorder).await,
        }
    }
    // Not reached, because the last action of a plan is an ending.
    Err(ClientLeft)
}

/// Returns the length of the body in bytes, as the ledger records it.
fn body_length(actions: &[WireAction]) -> usize {
    let length = |action: &WireAction| match action {
        WireAction::Write { bytes, .. } | WireAction::Raw { bytes, body: true, .. } => bytes.len(),
        _ => 0,
    };
    actions.iter().map(length).sum()
}
