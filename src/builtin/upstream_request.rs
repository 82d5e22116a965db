//! A caller's request, and the request to one upstream that is built from it.

use std::ops::Range;

use bytes::Bytes;
use http::Method;
use serde_json::{Map, Value};

use super::{
    dialect::{self, Credential},
    failure::CallFailure,
    translate,
};
use crate::{
    dialect::{HANDSHAKE, carrier},
    proxy::ProxyRoute,
    scenario::{Api, Provider},
};

/// The version of Anthropic's API that is requested if the caller names none.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// The content codings that the proxy can undo. Of brotli and zstd, it reads only what the mocks send.
const CODINGS: &str = "gzip, deflate, br, zstd";

/// A valid request of a caller.
#[derive(Debug, Clone)]
pub(super) struct CallerRequest {
    pub api: Api,
    pub stream: bool,
    pub body: UpstreamBody,
    /// The query parameters that are sent upstream: without the model and the key.
    pub query: Vec<(String, String)>,
    /// The headers that are sent upstream.
    pub headers: Vec<(String, String)>,
}

/// A request's body.
#[derive(Debug, Clone)]
pub(super) enum UpstreamBody {
    /// No body, as with GET.
    None,
    Json(Map<String, Value>),
    /// A multipart form, and the range of bytes with the model's name in it.
    Form {
        bytes: Bytes,
        model: Option<Range<usize>>,
    },
}

/// A request to one upstream.
#[derive(Debug)]
pub(super) struct UpstreamRequest {
    /// The endpoint of the upstream.
    pub api: Api,
    pub method: Method,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Bytes>,
}

impl CallerRequest {
    /// Builds the request for the upstream of this route.
    ///
    /// # Errors
    ///
    /// If the route's provider does not serve this API.
    pub(super) fn for_route(&self, route: &ProxyRoute) -> Result<UpstreamRequest, CallFailure> {
        let api = self.upstream_api(route)?;
        let mut query = self.query.clone();
        let mut headers = Vec::new();
        match dialect::credential(route) {
            Credential::Header(name, value) => headers.push((name.to_owned(), value)),
            Credential::Query(name, value) => query.push((name.to_owned(), value)),
        }
        if let UpstreamBody::Json(_) = self.body {
            headers.push(("content-type".into(), "application/json".into()));
        }
        if api.is_session() {
            query.push(("model".to_owned(), route.upstream_model.clone()));
            headers.extend(HANDSHAKE.map(|(name, value)| (name.to_owned(), value.to_owned())));
        } else {
            headers.push(("accept".into(), accept(api, self.stream).into()));
            headers.push(("accept-encoding".into(), CODINGS.into()));
        }
        let named = |wanted: &str| self.headers.iter().any(|(name, _)| name == wanted);
        if api.native_provider() == Provider::Anthropic && !named("anthropic-version") {
            headers.push(("anthropic-version".into(), ANTHROPIC_VERSION.into()));
        }
        headers.extend(self.headers.iter().cloned());
        let method = if api.method() == "GET" { Method::GET } else { Method::POST };
        let url = dialect::upstream_url(route, api, self.stream, &query);
        Ok(UpstreamRequest { api, method, url, headers, body: self.body_for(route, api) })
    }

    /// Whether the response is relayed frame by frame. Without `alt=sse`, Google sends a stream as one JSON
    /// list, which the proxy passes on once it is complete.
    pub(super) fn is_framed(&self) -> bool {
        let asks_for_events = || self.query.iter().any(|(name, value)| name == "alt" && value == "sse");
        self.stream && (self.api != Api::GeminiGenerate || asks_for_events())
    }

    /// The endpoint of this route's upstream that serves the request.
    ///
    /// # Errors
    ///
    /// If the route's provider does not serve this API.
    pub(super) fn upstream_api(&self, route: &ProxyRoute) -> Result<Api, CallFailure> {
        dialect::upstream_api(self.api, route.provider).ok_or_else(|| {
            let message = format!(
                "The provider of the model `{}` does not offer an API that this proxy can use for this request.",
                route.model
            );
            CallFailure::caller(404, "model_not_found", message)
        })
    }

    fn body_for(&self, route: &ProxyRoute, api: Api) -> Option<Bytes> {
        let model = &route.upstream_model;
        match &self.body {
            UpstreamBody::None => None,
            UpstreamBody::Json(body) => {
                let mut body = translate::request(self.api, api, body);
                // If the path names the model, the body does not.
                if body.contains_key("model") {
                    body.insert("model".into(), Value::String(model.clone()));
                }
                Some(Value::Object(body).to_string().into())
            }
            UpstreamBody::Form { bytes, model: None } => Some(bytes.clone()),
            UpstreamBody::Form { bytes, model: Some(range) } => {
                Some([&bytes[..range.start], model.as_bytes(), &bytes[range.end..]].concat().into())
            }
        }
    }
}

fn accept(api: Api, stream: bool) -> &'static str {
    match api {
        _ if stream => carrier(api).content_type(),
        Api::OpenaiSpeech | Api::OpenaiTranscriptions => "*/*",
        _ => "application/json",
    }
}
