//! An error of a provider: its parts before a dialect writes it, and the body that is written.

use serde_json::Value;

use super::{catalogue::ErrorRow, request::RequestedCall};

/// An error of the catalogue, with the parts that a body and an event share.
pub(super) struct ProviderError<'a> {
    /// The request.
    pub asked: &'a RequestedCall,
    pub row: &'a ErrorRow,
    /// The error text, including the canary.
    pub text: String,
    /// The error in its JSON form.
    pub error: Value,
    /// The number of events before it in the stream.
    pub after: usize,
}

/// The body of an error response.
pub(super) struct WrittenError {
    /// `None` if there is no body.
    pub content_type: Option<&'static str>,
    pub text: String,
    /// Whether the provider itself created the body; if so, it sends its own headers as well.
    pub own: bool,
}
