//! Ollama's native endpoints, for every provider that serves them.

mod endpoints;
mod native;

pub(super) use endpoints::{error_event, reply};
