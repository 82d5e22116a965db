//! The mock providers alone, for any client or test suite: the catalogue by URL, and a small control
//! API by which anything else is armed.

mod access;
mod armed_mocks;
mod catalogue;
mod limits;
mod openapi;
mod page;
mod reply;
mod routes;
mod server;

pub use access::HostName;
pub(crate) use armed_mocks::{ArmedMock, ArmedMocks, NotArmed};
pub use catalogue::{Entry, entries};
pub use openapi::document;
pub use server::Server;

#[cfg(test)]
mod tests;
