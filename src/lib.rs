//! upfault tests what an LLM gateway tells its callers when a provider fails.
//!
//! The modules stand in reading order: each may use those above it and none below it
//! (`tests/architecture.rs` holds the table).

mod bundled;
pub mod shell;
pub mod scenario;
pub mod wire;
pub mod observation;
pub mod provider;
pub mod fault;
pub mod upstream;
pub mod serve;
pub mod selftest;
pub mod lock;
pub mod proxy;
pub mod builtin;
pub mod client;
pub mod judge;
pub mod snapshot;
pub mod event;
pub mod runner;
pub mod report;
pub mod cli;
