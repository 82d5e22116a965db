//! What a request to a mock asks for.

use super::{body::LazyJson, profile};
use crate::scenario::{Api, Provider};

/// A parsed request to a provider.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestedCall {
    /// The requested provider.
    pub provider: Provider,
    /// The requested endpoint; `None` if the path is unknown.
    pub api: Option<Api>,
    /// The operation on the endpoint's stored objects; relevant if an endpoint has several paths.
    pub verb: Verb,
    /// The id of the object, if the path has an `{id}`.
    pub id: Option<String>,
    /// The model that the path or the body names; empty if neither does.
    pub model: String,
    /// Whether the request asks for a stream. A proxy can ask for something other than its caller did.
    pub stream: bool,
    /// The query after the `?` of the path; empty if there is none.
    pub query: String,
    /// The API key of the request, without its scheme; for an AWS signature, the access key id.
    pub key: Option<String>,
    /// Whether a stream shall report its usage: `stream_options.include_usage`.
    pub with_usage: bool,
    /// The body if it is JSON, or the fields of a form, with a file as `{"filename", "bytes"}`, where `bytes` is its
    /// length; otherwise `null`.
    pub body: LazyJson,
}

/// The operation of a request on an endpoint's stored objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `POST`: creates an object or a response.
    Create,
    /// `GET` without an id: lists all objects.
    List,
    /// `GET` with an id: retrieves one object.
    Retrieve,
    /// `DELETE`: deletes one object.
    Delete,
}

impl RequestedCall {
    /// An empty request, for a refusal before the request is parsed.
    pub fn nothing(provider: Provider) -> Self {
        Self {
            provider,
            api: None,
            verb: Verb::Create,
            id: None,
            model: String::new(),
            stream: false,
            query: String::new(),
            key: None,
            with_usage: false,
            body: LazyJson::default(),
        }
    }

    /// Whether the other request is equivalent, regardless of the other content of the two bodies.
    pub fn is_like(&self, other: &Self) -> bool {
        let Self { provider, api, verb, id, model, stream, query, key, with_usage, body: _ } = self;
        *provider == other.provider
            && *api == other.api
            && *verb == other.verb
            && *id == other.id
            && *model == other.model
            && *stream == other.stream
            && *query == other.query
            && *key == other.key
            && *with_usage == other.with_usage
    }

    /// A standard request for `api`, as a proxy would send it for the provider's [`model`](super::model).
    pub fn plain(provider: Provider, api: Api, stream: bool) -> Self {
        let model = profile::of(provider).model.clone();
        Self {
            api: Some(api),
            verb: if api.method() == "GET" { Verb::List } else { Verb::Create },
            stream,
            query: if stream && api == Api::GeminiGenerate { "alt=sse".into() } else { String::new() },
            body: serde_json::json!({"model": model, "stream": stream}).into(),
            model,
            ..Self::nothing(provider)
        }
    }
}

/// The model that a response names: the requested one.
pub(super) fn model_asked(asked: &RequestedCall) -> &str {
    if asked.model.is_empty() { profile::model(asked.provider) } else { &asked.model }
}
