//! Proves every fault: a raw client sends a request to a mock, without a proxy, and compares the wire with
//! the claims about the fault. The mock's own ledger must agree.
//!
//! An [`Exhibit`] is a list of faults, a request that makes them visible, and claims. [`prove`] runs all
//! exhibits concurrently and records the wire.

mod base;
mod call;
mod claim;
mod exhibit;
mod exhibits;
mod family;
mod http2;
mod ledger;
mod prove;
mod raw;
mod raw_request;
mod reply;
mod report;
mod seen;
mod tls;
mod transcript;

pub(crate) use base::UnfaultedReply;
pub(crate) use call::ClientRequest;
pub(crate) use claim::{Before, ExhibitView, WireClaim};
pub use exhibit::Exhibit;
pub use exhibits::all as exhibits;
pub use family::FaultLayer;
pub(crate) use prove::SelftestError;
pub use prove::{identity, prove};
pub(crate) use reply::{MessageFraming, ParsedReply};
#[cfg(test)]
pub(crate) use report::ClaimResult;
#[cfg(test)]
pub(crate) use report::Lateness;
#[cfg(test)]
pub(crate) use report::Timing;
pub use report::{FaultProof, Selftest};
pub use seen::ClientView;
pub(crate) use transcript::{CertificateRefusal, ConnectionEnd};

#[cfg(test)]
mod tests;
