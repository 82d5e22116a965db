//! Ollama's own endpoints, whoever serves them.

mod endpoints;
mod native;

pub(super) use endpoints::{error_event, reply};
