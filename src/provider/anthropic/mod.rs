//! Anthropic's endpoints, for every provider that serves them.

pub(super) mod count_tokens;
pub(super) mod error;
pub(super) mod messages;

pub(super) use error::word;

#[cfg(test)]
mod tests;
