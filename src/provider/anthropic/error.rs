//! Anthropic's error types, and its error event in a stream.
//!
//! Sources: <https://platform.claude.com/docs/en/api/errors> (types and their statuses), the
//! recorded overload of vercel/ai (`details` is null in a stream).

use bytes::Bytes;
use serde_json::{Value, json};

use crate::{
    observation::Canaries,
    provider::{ErrorRow, failure::ProviderError},
    scenario::EventForm,
};

/// Anthropic's type of an error: the row's type if it is one that only Anthropic uses, otherwise the type for
/// the row's status. A provider that uses another dialect elsewhere thus needs no separate catalogue for the
/// Messages API.
pub(in crate::provider) fn word(row: &ErrorRow) -> &str {
    const OWN: [&str; 10] = [
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "conflict_error",
        "request_too_large",
        "rate_limit_error",
        "api_error",
        "timeout_error",
        "overloaded_error",
    ];
    if let Some(kind) = row.kind.as_deref().filter(|kind| OWN.contains(kind)) {
        return kind;
    }
    match row.status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// The event `error`. It always has Anthropic's form, whatever form the same failure has as a response: in a
/// stream the error comes from the model.
pub(crate) fn event(failure: &ProviderError<'_>, form: Option<EventForm>, canaries: &Canaries) -> Bytes {
    let mut error = failure.error.clone();
    if error["type"] != "error" {
        error = json!({
            "type": "error",
            "error": {"type": word(failure.row), "message": failure.text},
            "request_id": canaries.request_id,
        });
    }
    if let Some(members) = error["error"].as_object_mut() {
        members.entry("details").or_insert(Value::Null);
    }
    match form {
        Some(EventForm::Unnamed) => format!("data: {error}\n\n"),
        Some(EventForm::Bare) => format!("{error}\n"),
        _ => format!("event: error\ndata: {error}\n\n"),
    }
    .into()
}
