//! The mock servers: listener, connection handle, router, ledger.
//!
//! One listener serves every case; the first two segments of a path say whose deployment is
//! meant. What an attempt gets is a [`crate::fault::Plan`], made before the first byte; only the
//! owner of its connection acts and waits.

mod answer;
mod authority;
mod beat;
mod case;
mod connection;
mod deployment;
mod entrance;
mod fallback;
mod http2;
mod ledger;
mod lent;
mod line;
mod part;
mod perform;
mod port;
mod raw;
mod received;
mod room;
mod server;
mod session;
mod socket;
mod strays;
mod stream;

pub use case::{Armed, ArmedCase, base_url};
pub use fallback::{Fallback, FallbackAnswer};
pub use room::{LedgerBounds, MAX_KEPT_BODY};
pub use server::Upstream;
pub use strays::MAX_STRAYS;

#[cfg(test)]
mod tests;
