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
mod carried;
mod catalogue;
mod cohere;
mod dialect;
mod endpoint;
mod form;
mod google;
mod header;
mod limits;
mod message;
mod multipart;
mod ollama;
mod openai;
mod prepared;
mod profile;
mod request;
mod route;
mod stream_error;
mod tokens;

pub use account::{AccountState, Admission};
pub use body::LazyJson;
pub use canned::fill;
pub use carried::carrier;
pub use catalogue::{ErrorBodyForm, ErrorRow, LimitStyle, Limits, SourceConfidence};
pub use dialect::{
    MAX_REQUEST_BYTES, base_path, beyond, catalogue_row, content_pieces, error, error_event,
    error_event_after, limited, malformed, message, model, read, read_with, reply, show_limits, too_large,
    tool_argument_pieces,
};
pub use endpoint::{AZURE_VERSION, endpoint, endpoint_pattern, fill_pattern};
pub use header::{HeaderField, Name, owned_headers};
pub use limits::{LimitState, LimitWindow};
pub use message::{MessageBody, ProviderMessage};
pub use prepared::Prepared;
pub use profile::{ChatExtras, KeyPlace, Profile, Refusals, RouteRow, StreamError, of as profile};
pub use request::{ReceivedCall, RequestedCall, Verb};

#[cfg(test)]
mod tests;
