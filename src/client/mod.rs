//! The downstream driver: sends the steps of a case and records what came back.
//!
//! It records the proxy's bytes as they are: it does not retry, follow redirects, pool connections or decompress.

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
