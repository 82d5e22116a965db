//! Answers of the control API, good and bad.

use axum::response::{IntoResponse, Response as AxumResponse};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    observation::{Attempt, Stray},
    scenario::LoadErrors,
};

/// What was armed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArmedReply {
    /// By which its ledger is read and by which it is ended.
    pub id: String,
    /// The base URL of the first deployment, as the provider's own SDK takes it.
    pub base_url: String,
    /// That of every deployment.
    pub base_urls: indexmap::IndexMap<String, String>,
    /// A key for each deployment. Any other key does too, unless an account says which are known.
    pub keys: indexmap::IndexMap<String, String>,
    /// When it ends by itself, as RFC 3339 has it.
    pub expires: String,
}

/// The upstream's side of what happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerReply {
    /// Whose ledger it is.
    pub id: String,
    /// Each request that arrived, in order, with what it got.
    pub attempts: Vec<Attempt>,
    /// How many more arrived after the ledger was full: they were answered, and are not in it.
    pub not_kept: usize,
    /// What to do next if the ledger is full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// How many of the `attempts` are still being answered.
    pub open: usize,
    /// What came and was no request: halves of one, and at a port of its own garbage.
    pub strays: Vec<Stray>,
}

/// Everything that came to this server and was no request, or under nobody's path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StraysReply {
    /// The newest thousand, the newest last.
    pub strays: Vec<Stray>,
}

/// Whether the server is well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HealthReply {
    /// `ok`
    pub status: String,
    /// Of upfault.
    pub version: String,
    /// How many mocks are armed now.
    pub armed: usize,
}

/// Why a request to the control API was not carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReply {
    /// The one member.
    pub error: ErrorBody,
}

/// What is wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// In one sentence.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line of the body, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The character in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// Everything that is wrong with the body, with its lines, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
}

/// An error with its status.
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

    /// Nothing of this id is armed.
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
        let told = first.map_or_else(ErrorBody::default, |first| {
            let (line, column) = first.position();
            ErrorBody {
                message: first.message,
                help: first.help,
                line: Some(line),
                column: Some(column),
                shown,
            }
        });
        Self { status: StatusCode::BAD_REQUEST, body: told }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> AxumResponse {
        json(self.status, &ErrorReply { error: self.body })
    }
}

/// A body of JSON that people can read too.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> AxumResponse {
    // None of these has a key that is no text or a number that is none.
    let text = serde_json::to_string_pretty(value).unwrap_or_default() + "\n";
    typed(status, "application/json", text)
}

/// A text for people.
pub(super) fn plain(text: String) -> AxumResponse {
    typed(StatusCode::OK, "text/plain; charset=utf-8", text)
}

/// A body with its type.
pub(super) fn typed(status: StatusCode, content_type: &'static str, text: String) -> AxumResponse {
    (status, [(CONTENT_TYPE, HeaderValue::from_static(content_type))], text).into_response()
}

/// For a request that comes while the server is being taken down.
pub(super) fn ending() -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}
