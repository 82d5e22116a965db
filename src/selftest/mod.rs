//! Every fault proves itself: shown on a raw connection to a mock, without a proxy, and held against
//! what is claimed of it. The mock's own ledger must say the same.
//!
//! An [`Exhibit`] is a list of faults, a request that shows them, and claims. [`prove`] shows them all
//! at once and sets down what the wire showed.

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

pub use base::Base;
pub use call::Call;
pub use claim::{Before, Claim, Sight};
pub use exhibit::Exhibit;
pub use exhibits::all as exhibits;
pub use family::Family;
pub use prove::{SelftestError, identity, prove};
pub use raw::{Ending, Read, Transcript};
pub use reply::{Framing, Reply};
pub use report::{ClaimResult, Lateness, Proof, SCHEMA_VERSION, Selftest, Timing, json_schema};
pub use seen::Seen;
pub use tls::CertificateRefusal;
pub use written::written;

#[cfg(test)]
mod tests;
