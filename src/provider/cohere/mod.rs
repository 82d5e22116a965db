//! Cohere's endpoints.

mod chat;
mod embed;
mod endpoints;
mod rerank;

pub(super) use endpoints::{error_event, reply};

#[cfg(test)]
mod tests;
