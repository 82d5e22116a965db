//! The other side of the wire: what the mock's ledger says must be what was seen.

use super::{
    claim::{ExhibitView, WireClaim},
    raw::ConnectionEnd,
    reply::MessageFraming,
    seen::ClientView,
};
use crate::{
    observation::{Attempt, AttemptEnd},
    scenario::{Fault, FaultStage},
};

/// What the ledger must say of any exhibit with these faults.
pub(super) fn claims(faults: &[Fault]) -> Vec<WireClaim> {
    match faults.iter().map(Fault::stage).min() {
        Some(FaultStage::Address) => {
            vec![WireClaim::new("the mock sees nobody", |sight| match sight.attempts {
                [] => Ok(()),
                attempts => Err(format!("{} attempts in the ledger", attempts.len())),
            })]
        }
        // Where the connection itself is struck, what is in the ledger depends on how far it came.
        Some(FaultStage::Connection) if !faults.iter().any(|fault| fault.stage() == FaultStage::Reply) => {
            vec![agreement("the ledger says the same", connection)]
        }
        _ => vec![agreement("the ledger says the same", reply)],
    }
}

fn agreement(
    says: &str,
    check: impl Fn(&ExhibitView<'_>, &Attempt) -> Result<(), String> + Send + Sync + 'static,
) -> WireClaim {
    WireClaim::new(says, move |sight| match sight.attempts.first() {
        Some(attempt) => check(sight, attempt),
        None => Err("nothing in the ledger".to_owned()),
    })
}

/// No request was read, or the reply is as well as any.
fn connection(sight: &ExhibitView<'_>, attempt: &Attempt) -> Result<(), String> {
    match (sight.reply().status, attempt.sent.status) {
        (Some(_), Some(_)) => reply(sight, attempt),
        (None, None) => Ok(()),
        (seen, sent) => Err(format!("status {sent:?} was sent and {seen:?} was seen")),
    }
}

fn reply(sight: &ExhibitView<'_>, attempt: &Attempt) -> Result<(), String> {
    let (seen, sent) = (sight.reply(), &attempt.sent);
    // What nobody can read is a status line to the mock alone.
    if seen.framing != MessageFraming::NoHead && seen.status != sent.status {
        return Err(format!("status {:?} was sent and {:?} was seen", sent.status, seen.status));
    }
    if matches!(seen.framing, MessageFraming::Whole | MessageFraming::Cut)
        && seen.rest.is_empty()
        && seen.body.len() as u64 != sent.bytes
    {
        return Err(format!("{} bytes of body were sent and {} seen", sent.bytes, seen.body.len()));
    }
    let expected: &[AttemptEnd] = match &sight.transcript.ending {
        ConnectionEnd::Reset => &[AttemptEnd::Reset],
        ConnectionEnd::StreamReset(_) => &[AttemptEnd::StreamReset],
        ConnectionEnd::GoneAway(_) => &[AttemptEnd::GoneAway],
        // A session that ends by a close frame is whole as a message, whatever the frame says.
        ConnectionEnd::Fin if seen.status == Some(101) => &[AttemptEnd::Closed, AttemptEnd::Finished],
        // What stays open waits for its client.
        ConnectionEnd::Open if seen.status == Some(101) => &[AttemptEnd::Finished],
        ConnectionEnd::Fin | ConnectionEnd::Truncated if seen.framing == MessageFraming::Whole => {
            &[AttemptEnd::Finished]
        }
        // A message that nobody can read may have been sent to its end all the same.
        ConnectionEnd::Fin | ConnectionEnd::Truncated => &[AttemptEnd::Closed, AttemptEnd::Finished],
        _ if matches!(
            seen.framing,
            MessageFraming::Whole | MessageFraming::Broken | MessageFraming::NoHead
        ) =>
        {
            &[AttemptEnd::Finished]
        }
        // The watching client may have left by now.
        _ => &[AttemptEnd::Open, AttemptEnd::ClientLeft],
    };
    if !expected.contains(&attempt.end) {
        return Err(format!("it ended as {:?}, and {expected:?} would fit", attempt.end));
    }
    Ok(())
}

/// What a client can make of it, with the ledger's word for what the standards leave open.
pub(super) fn seen(sight: &ExhibitView<'_>) -> ClientView {
    let doubtful = sight.attempts.first().is_some_and(|attempt| attempt.sent.doubtful);
    ClientView::of(sight.transcript, doubtful)
}
