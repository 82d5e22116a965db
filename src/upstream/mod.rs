//! The mock servers: listener, connection handle, router, ledger.
//!
//! One listener serves every case; the first two segments of a path say whose deployment is
//! meant. What an attempt gets is a [`crate::fault::Plan`], made before the first byte; only the
//! owner of its connection acts and waits.

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

pub use case::{Armed, ArmedCase, base_url};
pub use fallback::{Fallback, FallbackAnswer};
pub use ledger_budget::{LedgerBounds, MAX_KEPT_BODY};
pub use server::Upstream;
pub use strays::MAX_STRAYS;

#[cfg(test)]
mod tests;
