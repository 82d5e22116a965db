//! The downstream driver: sends the steps of a case and records what came back.
//!
//! It records the proxy's bytes as they are: it does not retry, follow redirects, pool connections or decompress.

mod body;
mod call;
mod caller;
mod connection;
mod driver;
mod ending;
mod leave;
mod mistake;
mod session;

pub(crate) use call::ClientCall;
pub(crate) use driver::{ClientError, Driver};

#[cfg(test)]
mod tests;
