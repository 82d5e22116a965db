//! Cohere's endpoints.

pub(super) mod chat;
pub(super) mod embed;
pub(super) mod rerank;

#[cfg(test)]
mod tests;
