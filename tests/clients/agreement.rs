//! Checks whether a client observed a reply as the selftest says.

use upfault::internals::selftest::{ClientView, FaultProof};

use super::{
    client::Got,
    differences::{self, Instead},
};

/// Returns a description of the difference, if there is one.
pub fn check(client: &str, proof: &FaultProof, got: &Got) -> Result<(), String> {
    let fits = match differences::of(client, &proof.name) {
        Some(difference) => instead(difference.instead, proof, got),
        None => seen(proof, got),
    };
    if fits { Ok(()) } else { Err(format!("expected {}, got {got:?}", proof.seen)) }
}

fn seen(proof: &FaultProof, got: &Got) -> bool {
    let failed = got.error.is_some();
    match proof.seen {
        ClientView::Whole { status } => {
            !failed && !got.timed_out && got.status == Some(status) && got.bytes == proof.body_bytes
        }
        ClientView::BrokenBeforeHead => failed && !got.timed_out && got.status.is_none(),
        // A client that returns only complete bodies does not report a status either.
        ClientView::BrokenAfterHead => failed && !got.timed_out && matches!(got.status, None | Some(200)),
        ClientView::Silent => got.timed_out,
        ClientView::NotConnected => (failed || got.timed_out) && got.status.is_none(),
        ClientView::Doubtful => {
            !got.timed_out && (failed || (got.status.is_some() && got.bytes == proof.body_bytes))
        }
    }
}

fn instead(instead: Instead, proof: &FaultProof, got: &Got) -> bool {
    match instead {
        Instead::Error => got.error.is_some() && !got.timed_out,
        Instead::OtherBytes => got.error.is_none() && got.status.is_some() && got.bytes != proof.body_bytes,
        Instead::CutUnnoticed => got.error.is_none() && got.status == Some(200),
        Instead::CutSometimesUnnoticed => !got.timed_out && matches!(got.status, None | Some(200)),
    }
}
