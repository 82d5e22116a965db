//! What the client API of each dialect looks like, and a reader of its responses and events.
//!
//! The same code parses what the upstream sent and what the caller received. So the rules can compare both, even if
//! the two dialects differ.

mod anthropic;
mod bedrock;
mod chat;
mod cohere;
mod envelope;
mod error;
mod gemini;
mod ollama;
mod payload;
mod read;
mod realtime;
mod responses;
mod parsed;

pub(crate) use envelope::{envelope, wrong_envelope};
pub(crate) use error::{any as any_error, nested as nested_error, text};
pub(crate) use parsed::{Completion, ErrorObject, StreamEvent, Vocabulary};
pub(crate) use read::{closes_error, completion, elements, event, terminator};
