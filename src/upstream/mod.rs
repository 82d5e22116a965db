//! The mock servers: listener, connections, router and ledger.
//!
//! One listener serves every case. The first two segments of a path identify the deployment. The reply to an
//! attempt follows a [`crate::fault::Plan`], which is made before the first byte. Only the owner of the
//! connection acts and waits.

mod answer;
mod authority;
mod delay_clock;
mod case;
mod connection;
mod deployment;
mod connection_turn;
mod fallback;
mod http2;
mod ledger;
mod lent_socket;
mod takeover;
mod deployment_turns;
mod perform;
mod deployment_port;
mod raw;
mod received;
mod ledger_budget;
mod server;
mod session;
mod socket;
mod strays;
mod stream;

pub use case::{Armed, ArmedCase};
pub(crate) use case::{base_url, planned_base_urls};
pub(crate) use deployment::OwnPorts;
pub(crate) use fallback::Fallback;
pub(crate) use ledger_budget::LedgerBounds;
#[cfg(test)]
pub(crate) use ledger_budget::MAX_KEPT_BODY;
pub use server::Upstream;
#[cfg(test)]
pub(crate) use strays::MAX_STRAYS;

#[cfg(test)]
mod tests;
