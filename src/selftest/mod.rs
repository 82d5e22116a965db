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
mod reply;
mod report;
mod seen;
mod tls;
mod written;

pub use base::UnfaultedReply;
pub use call::ClientRequest;
pub use claim::{Before, ExhibitView, WireClaim};
pub use exhibit::Exhibit;
pub use exhibits::all as exhibits;
pub use family::FaultLayer;
pub use prove::{SelftestError, identity, prove};
pub use raw::{ConnectionEnd, Read, Transcript};
pub use reply::{MessageFraming, ParsedReply};
pub use report::{ClaimResult, FaultProof, Lateness, SCHEMA_VERSION, Selftest, Timing};
pub use seen::ClientView;
pub use tls::CertificateRefusal;
pub use written::written;

#[cfg(test)]
mod tests;
