//! The mock servers: listener, connections, router and ledger.
//!
//! One listener serves every case. The first two segments of a path identify the deployment. The reply to an
//! attempt follows a [`crate::fault::Plan`], which is made before the first byte. Only the owner of the
//! connection acts and waits.

mod answer;
mod armed_case;
mod attempt_record;
mod attempt_recorder;
mod authority;
mod case;
mod chunked_body;
mod connection;
mod connection_turn;
mod delay_clock;
mod deployment;
mod deployment_port;
mod deployment_turns;
mod discovery;
mod fallback;
mod http1;
mod http1_connection;
mod http1_sink;
mod http1_writer;
mod http2;
mod http2_sink;
mod http2_stall;
mod ledger;
mod ledger_budget;
mod lent_socket;
mod listener;
mod locked;
mod performer;
mod prepared_reply;
mod received;
mod request_head;
mod sent_bytes;
mod server;
mod server_state;
mod session_sink;
mod socket;
mod strays;
mod stream;
mod unplayable;

pub use armed_case::ArmedCase;
pub(crate) use armed_case::{base_url, planned_base_urls};
pub(crate) use authority::authority_pem;
pub use case::Armed;
pub(crate) use deployment::OwnPorts;
pub(crate) use fallback::Fallback;
pub(crate) use ledger_budget::LedgerBounds;
pub use server::Upstream;
#[cfg(test)]
pub(crate) use strays::MAX_STRAYS;
pub(crate) use unplayable::{unplayable, unplayable_turn};

#[cfg(test)]
mod tests;
