//! Tests of the contract with synthetic observations: without sockets or clocks.

mod answers;
pub(crate) mod any;
mod transport;
mod chains;
mod codings;
mod conduct;
mod expectations;
mod dialects;
mod error_events;
mod every_rule;
mod passthrough;
mod hashes;
mod held_back;
mod leaving;
mod invalid_requests;
mod mocks;
mod origins;
mod own;
mod policies;
mod process;
mod responses;
pub(crate) mod seen;
mod sessions;
mod siblings;
mod concurrent;
mod details;
