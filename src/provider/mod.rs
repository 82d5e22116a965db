//! The dialects of the providers: success responses, error catalogues, streams, headers, authentication.
//!
//! All functions here are pure: they compute the bytes that the provider would send, before any fault, from a
//! request and the canaries of an attempt.
//!
//! Each provider is a file in `profiles/`: its endpoints, headers, keys and errors are data. The code creates the
//! responses of each endpoint, for every provider that serves it.

mod account;
mod anthropic;
mod bedrock;
mod body;
mod canned;
mod catalogue;
mod cohere;
mod content;
mod dialect;
mod endpoint;
mod error_words;
mod failure;
mod form;
mod google;
mod header;
mod limits;
mod malformed;
mod message;
mod ollama;
mod openai;
mod prepared;
mod profile;
mod project_file;
mod received;
mod request;
mod route;
mod stream_error;
mod tokens;
mod writer;

pub(crate) use account::{AccountState, Admission};
pub(crate) use body::LazyJson;
pub(crate) use canned::{fill, is_of_a_dialect, looks_like_events, own_request_ids};
pub use catalogue::SourceConfidence;
pub(crate) use catalogue::{ErrorBodyForm, ErrorRow};
#[cfg(test)]
pub(crate) use content::tool_argument_pieces;
pub(crate) use content::{content_pieces, tool_calls};
pub use dialect::message;
pub(crate) use dialect::{
    MAX_REQUEST_BYTES, asked_wait, base_path, error_asking, error_event_after, read, read_with, reply,
    show_limits, too_large,
};
#[cfg(test)]
pub(crate) use dialect::{error, error_event};
pub(crate) use endpoint::{
    AZURE_VERSION, asked_endpoints, endpoint, endpoint_pattern, error_form, fill_pattern, own_chat,
};
pub(crate) use error_words::{error_meant, error_named, errors_called, errors_that_send};
pub(crate) use header::{HeaderField, owned_headers};
pub(crate) use malformed::malformed;
pub(crate) use message::TimedChunk;
pub use message::{MessageBody, ProviderMessage};
pub(crate) use prepared::{Prepared, Template};
#[cfg(test)]
pub(crate) use profile::RouteRow;
pub(crate) use profile::{ChatExtras, KeyPlace, at_host, catalogue_rows, last_read};
pub use profile::{catalogue_row, model, of as profile};
pub(crate) use project_file::{ProviderFile, load_provider_files, loaded_provider_files};
pub(crate) use received::{Header, ReceivedCall, find_header};
pub use request::RequestedCall;
pub(crate) use route::api_at;

#[cfg(test)]
mod tests;
