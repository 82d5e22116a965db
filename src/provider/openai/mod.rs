//! OpenAI's endpoints, for every provider that serves them.

pub(super) mod audio;
pub(super) mod chat;
pub(super) mod completions;
pub(super) mod embeddings;
pub(super) mod images;
pub(super) mod listing;
pub(super) mod moderations;
pub(super) mod realtime;
pub(super) mod responses;

#[cfg(test)]
mod tests;
