//! `upfault serve`: the mock providers without a proxy, for any client or test suite. It serves the catalogue
//! by URL, and a control API with which clients arm other mocks.

mod access;
mod armed_mocks;
mod catalogue;
mod limits;
#[cfg(test)]
mod openapi;
mod page;
mod published;
mod reply;
mod routes;
mod server;

pub(crate) use access::HostName;
pub(crate) use armed_mocks::{ArmedMock, ArmedMocks, MockDeployment, MockName, NotArmed};
#[cfg(test)]
pub(crate) use catalogue::entries;
pub(crate) use catalogue::other_names;
pub(crate) use published::published;
pub use server::Server;

#[cfg(test)]
mod tests;
