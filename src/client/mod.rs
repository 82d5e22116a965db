//! The downstream driver: sends the steps of a case and records what came back.
//!
//! It heals nothing. No retry, no redirect, no pooled connection, no decompression stands between
//! the proxy's bytes and the record.

mod body;
mod call;
mod driver;
mod ending;
mod form;
mod leave;
mod mistake;
mod session;

pub use call::{ApiRequest, ClientCall, RequestBody, request};
pub use driver::{ClientError, Driver};

#[cfg(test)]
mod tests;
