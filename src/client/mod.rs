//! The downstream driver: sends the steps of a case and records what came back.
//!
//! It records the proxy's bytes as they are: it does not retry, follow redirects, pool connections or decompress.

mod body;
mod call;
mod caller;
mod connection;
mod driver;
mod ending;
mod form;
mod leave;
mod mistake;
mod session;

#[cfg(test)]
pub(crate) use call::RequestBody;
pub(crate) use call::{ClientCall, request};
pub(crate) use driver::{ClientError, Driver};

#[cfg(test)]
mod tests;
