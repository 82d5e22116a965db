//! OpenAI's endpoints, for every provider that serves them.

mod audio;
mod chat;
mod completions;
mod embeddings;
mod endpoints;
mod images;
mod listing;
mod moderations;
mod realtime;
mod responses;

pub(super) use endpoints::{error_event, reply};

#[cfg(test)]
mod tests;
