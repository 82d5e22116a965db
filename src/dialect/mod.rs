//! What each client API looks like: one row per API, and a reader of responses and events that uses the rows.
//!
//! The same code parses what the upstream sent and what the caller received. So the rules can compare both, even if
//! the two dialects differ. `provider` writes the same dialects with code of its own, so that the reader is tested with
//! bytes that it did not write.

mod anthropic;
mod bedrock;
pub(crate) mod by_shape;
mod chat;
mod cohere;
mod envelope;
mod error;
mod error_form;
mod finish;
mod form;
mod gemini;
mod listing;
mod ollama;
mod parsed;
mod payload;
mod read;
mod realtime;
mod reasoning;
mod request;
mod request_body;
mod responses;
mod row;
mod stated_status;
mod table;
mod tool_call;

pub(crate) use bedrock::{exception_type, inner_event};
pub(crate) use envelope::wrong_envelope;
pub(crate) use error::{any as any_error, nested as nested_error, text};
pub(crate) use error_form::ErrorForm;
pub(crate) use finish::{FinishMeaning, has_word_for_filters, has_word_for_tools};
pub(crate) use parsed::{ChunkContent, Completion, ErrorObject, StreamEvent, Vocabulary};
pub(crate) use read::{closes_error, completion, elements, event, terminator};
pub(crate) use request::{HANDSHAKE, fill_model, request};
#[cfg(test)]
pub(crate) use request_body::RequestBody;
pub(crate) use row::{ErrorEventForm, SampleEvent};
pub(crate) use stated_status::stated_status;
pub(crate) use table::{carrier, row};
pub(crate) use tool_call::{ToolCall, ToolCallPart, add_part, tool_call_parts};
