//! Tests of the contract with synthetic observations: without sockets or clocks.

mod answers;
mod any;
pub(crate) mod arbitrary;
mod arbitrary_text;
mod transport;
mod chains;
mod conduct;
mod expectations;
mod dialects;
mod every_rule;
mod passthrough;
mod hashes;
mod leaving;
mod invalid_requests;
mod mocks;
mod origins;
mod own;
mod policies;
mod process;
pub(crate) mod seen;
mod sessions;
mod siblings;
mod concurrent;
mod details;
