//! Compares the mock's ledger with what the client observed.

use super::{
    claim::{ExhibitView, WireClaim},
    reply::MessageFraming,
    seen::ClientView,
    transcript::ConnectionEnd,
};
use crate::{
    observation::{Attempt, AttemptEnd},
    scenario::{Fault, FaultStage},
};

/// Returns what the ledger must contain for any exhibit with these faults.
pub(super) fn claims(faults: &[Fault]) -> Vec<WireClaim> {
    match faults.iter().map(Fault::stage).min() {
        Some(FaultStage::Address) => {
            vec![WireClaim::new("the mock sees no connection", |view| match view.attempts {
                [] => Ok(()),
                attempts => Err(format!("{} attempts in the ledger", attempts.len())),
            })]
        }
        // If a fault affects the connection itself, the contents of the ledger depend on how far the client
        // got.
        Some(FaultStage::Connection) if !faults.iter().any(|fault| fault.stage() == FaultStage::Reply) => {
            vec![agreement("the ledger agrees", connection)]
        }
        _ => vec![agreement("the ledger agrees", reply)],
    }
}

fn agreement(
    says: &str,
    check: impl Fn(&ExhibitView<'_>, &Attempt) -> Result<(), String> + Send + Sync + 'static,
) -> WireClaim {
    WireClaim::new(says, move |view| match view.attempts.first() {
        Some(attempt) => check(view, attempt),
        None => Err("the ledger contains no attempt".to_owned()),
    })
}

/// Accepts an attempt without a request, or one whose reply agrees like any other.
fn connection(view: &ExhibitView<'_>, attempt: &Attempt) -> Result<(), String> {
    match (view.reply().status, attempt.sent.status) {
        (Some(_), Some(_)) => reply(view, attempt),
        (None, None) => Ok(()),
        (seen, sent) => Err(format!("the ledger says status {sent:?}, the client got {seen:?}")),
    }
}

fn reply(view: &ExhibitView<'_>, attempt: &Attempt) -> Result<(), String> {
    let (seen, sent) = (view.reply(), &attempt.sent);
    // Only the mock knows the status of a head that the client cannot read.
    if seen.framing != MessageFraming::NoHead && seen.status != sent.status {
        return Err(format!("the ledger says status {:?}, the client got {:?}", sent.status, seen.status));
    }
    if matches!(seen.framing, MessageFraming::Whole | MessageFraming::Cut)
        && seen.rest.is_empty()
        && seen.body.len() as u64 != sent.written_bytes()
    {
        return Err(format!(
            "the ledger says {} bytes of body, the client got {}",
            sent.written_bytes(),
            seen.body.len()
        ));
    }
    let expected: &[AttemptEnd] = match &view.transcript.ending {
        ConnectionEnd::Reset => &[AttemptEnd::Reset],
        ConnectionEnd::StreamReset(_) => &[AttemptEnd::StreamReset],
        ConnectionEnd::GoneAway(_) => &[AttemptEnd::GoneAway],
        // A session that ends with a close frame is a complete message, whatever the frame says.
        ConnectionEnd::Fin if seen.status == Some(101) => &[AttemptEnd::Closed, AttemptEnd::Finished],
        // A session that stays open waits for its client.
        ConnectionEnd::Open if seen.status == Some(101) => &[AttemptEnd::Finished],
        ConnectionEnd::Fin | ConnectionEnd::Truncated if seen.framing == MessageFraming::Whole => {
            &[AttemptEnd::Finished]
        }
        // The mock may have sent a message to its end even if the client cannot read it.
        ConnectionEnd::Fin | ConnectionEnd::Truncated => &[AttemptEnd::Closed, AttemptEnd::Finished],
        _ if matches!(
            seen.framing,
            MessageFraming::Whole | MessageFraming::Broken | MessageFraming::NoHead
        ) =>
        {
            &[AttemptEnd::Finished]
        }
        // The client of the selftest may have left by now.
        _ => &[AttemptEnd::Open, AttemptEnd::ClientLeft],
    };
    if !expected.contains(&attempt.end) {
        return Err(format!("the ledger says that it ended as {:?}, expected {expected:?}", attempt.end));
    }
    Ok(())
}

/// Returns what a correct client reports. The ledger knows whether the standards allow more than one result.
pub(super) fn seen(view: &ExhibitView<'_>) -> ClientView {
    let doubtful = view.attempts.first().is_some_and(|attempt| attempt.sent.doubtful);
    ClientView::of(view.transcript, doubtful)
}
