//! Anthropic's endpoints, for every provider that serves them.

mod count_tokens;
mod endpoints;
mod error;
mod messages;

pub(super) use endpoints::{error_event, reply};
pub(super) use error::word;

#[cfg(test)]
mod tests;
