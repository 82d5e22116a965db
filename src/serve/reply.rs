//! The responses of the control API.

use axum::response::{IntoResponse, Response as AxumResponse};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    observation::{Attempt, Stray},
    scenario::LoadErrors,
};

/// A newly armed mock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct ArmedReply {
    /// The id of the mock, with which its ledger is read and with which it is ended.
    pub id: String,
    /// The base URL of the first deployment, for the provider's own SDK.
    pub base_url: String,
    /// The base URL of every deployment.
    pub base_urls: indexmap::IndexMap<String, String>,
    /// A key for each deployment. Any other key works too, unless an account lists the valid keys.
    pub keys: indexmap::IndexMap<String, String>,
    /// The time at which the mock ends by itself (RFC 3339).
    pub expires: String,
}

/// What a mock received, and what it sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct LedgerReply {
    /// The id of the mock.
    pub id: String,
    /// Each request that arrived, in order, with its response.
    pub attempts: Vec<Attempt>,
    /// The number of requests that arrived after the ledger was full: they were answered, but are not in it.
    pub not_kept: usize,
    /// What to do next if the ledger is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The number of `attempts` that are still being answered.
    pub open: usize,
    /// Traffic that did not become an attempt: incomplete requests and, if the mock has its own port,
    /// garbage.
    pub strays: Vec<Stray>,
}

/// Traffic to this server that was not a complete HTTP request or not for a known path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct StraysReply {
    /// The newest 1000, with the newest last.
    pub strays: Vec<Stray>,
}

/// The health of the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct HealthReply {
    /// Always `ok`.
    pub status: String,
    /// The version of upfault.
    pub version: String,
    /// The number of mocks that are armed now.
    pub armed: usize,
}

/// Why a request to the control API was not carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct ErrorReply {
    /// The error.
    pub error: ErrorBody,
}

/// The description of an error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct ErrorBody {
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line of the body, 1-based.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The character in the line, 1-based.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// All errors in the body with the lines concerned, as text for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
}

/// An error response with its status.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    body: ErrorBody,
}

impl Refused {
    pub(super) fn new(status: StatusCode, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            status,
            body: ErrorBody { message: message.into(), help: Some(help.into()), ..ErrorBody::default() },
        }
    }

    /// The error for an id with which no mock is armed.
    pub(super) fn unknown(id: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("nothing is armed under `{id}`"),
            "its time may be over: arm it again with POST /_upfault/arm, with a longer `ttl` if need be",
        )
    }
}

impl From<LoadErrors> for Refused {
    fn from(errors: LoadErrors) -> Self {
        let shown = Some(errors.render(false));
        let first = errors.0.into_iter().next();
        let body = first.map_or_else(ErrorBody::default, |first| {
            let (line, column) = first.position();
            ErrorBody {
                message: first.message,
                help: first.help,
                line: Some(line),
                column: Some(column),
                shown,
            }
        });
        Self { status: StatusCode::BAD_REQUEST, body }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> AxumResponse {
        json(self.status, &ErrorReply { error: self.body })
    }
}

/// A pretty-printed JSON response.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> AxumResponse {
    // Serializing does not fail: no key is anything but a string, and no number is NaN or infinite.
    let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    typed(status, "application/json", text)
}

/// A plain-text response.
pub(super) fn plain(text: String) -> AxumResponse {
    typed(StatusCode::OK, "text/plain; charset=utf-8", text)
}

/// A response with this content type.
pub(super) fn typed(status: StatusCode, content_type: &'static str, text: String) -> AxumResponse {
    (status, [(CONTENT_TYPE, HeaderValue::from_static(content_type))], text).into_response()
}

/// The response to a request that arrives during the shutdown.
pub(super) fn ending() -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
