//! What reaches a mock, and what it asks for.

use http::HeaderMap;

use super::{body::LazyJson, profile};
use crate::scenario::{Api, Provider};

/// A request as it reached a mock.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedCall<'a> {
    /// `POST`
    pub method: &'a str,
    /// Below the deployment's own path, with the query: `/v1/chat/completions`.
    pub path: &'a str,
    /// As they came.
    pub headers: &'a HeaderMap,
    /// All of it.
    pub body: &'a [u8],
}

/// What a request asks a provider for.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestedCall {
    /// Who is asked.
    pub provider: Provider,
    /// For which of its endpoints; `None` where the path is none of them.
    pub api: Option<Api>,
    /// What is to be done with the things that the endpoint keeps: of importance where one endpoint
    /// has several paths.
    pub verb: Verb,
    /// Which thing, where the path has an `{id}`.
    pub id: Option<String>,
    /// Which model, as the path or the body names it; empty where neither does.
    pub model: String,
    /// Whether the answer is to be a stream. A proxy may ask for something else than its caller did.
    pub stream: bool,
    /// What follows the `?` of the path; empty where nothing does.
    pub query: String,
    /// The key that was sent, without its scheme; of an AWS signature the access key's id.
    pub key: Option<String>,
    /// Whether the answer is to tell what it cost in any case: `stream_options.include_usage`.
    pub with_usage: bool,
    /// The body, where it is JSON, or the fields of a form, a file being `{"filename", "bytes"}` with
    /// its length; `null` otherwise.
    pub body: LazyJson,
}

/// What a request does to the things that an endpoint keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `POST`: a new thing, or an answer.
    Create,
    /// `GET` without an id: all of them.
    List,
    /// `GET` with an id.
    Retrieve,
    /// `DELETE`
    Delete,
}

impl RequestedCall {
    /// Nothing in particular: for a refusal before the request is understood.
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

    /// Whether the other asks for the same thing, whatever the two bodies hold beside that.
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

    /// A plain request for `api`, as a proxy would send it for the provider's
    /// [`model`](super::model).
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
