//! Reads what either side said, in each dialect, as far as the rules need it.
//!
//! Both sides of the proxy are read by the same code, so that what was sent and what was received
//! are compared in the same terms, even where the two dialects differ.

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
mod words;

pub use envelope::{envelope, wrong_envelope};
pub use error::{any as any_error, nested as nested_error, text};
pub use read::{closes_error, completion, elements, event, terminator};
pub use words::{Completion, ErrorObject, StreamEvent, Vocabulary};
