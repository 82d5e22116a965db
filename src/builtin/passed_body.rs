//! Pass-through routes: forward a request to a provider, and its response to the caller, unchanged except for
//! hop-by-hop headers and credentials.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, request::Parts};
use tokio::time::timeout;

use super::{
    Defect,
    attempt::whole_body,
    chain::ProxyShared,
    dialect::{self, Credential, ErrorForm},
    failure::CallFailure,
    handler::{ProxyReply, ReplyBody, written},
    headers,
};
use crate::{dialect::row, provider::endpoint, proxy::ProxyRoute, scenario::Api};

/// The prefix of pass-through paths. After it come the name of a route, and then the path that the provider's
/// own SDK would request.
const ROOT: &str = "/pass-through/";

/// The path to which a caller sends a request of `api` to pass it through; `None` if the provider does not
/// have this endpoint.
pub(crate) fn pass_through_path(route: &ProxyRoute, api: Api, stream: bool) -> Option<String> {
    let path = endpoint(route.provider, api, stream, row(api).query(stream), &route.upstream_model)?;
    Some(format!("{ROOT}{}{path}", route.model))
}

/// The pass-through route that a path names, and the rest of the path.
pub(super) fn address<'s, 'p>(shared: &'s ProxyShared, path: &'p str) -> Option<(&'s ProxyRoute, &'p str)> {
    let named = path.strip_prefix(ROOT)?;
    let (model, rest) = named.split_at(named.find('/').unwrap_or(named.len()));
    let route = shared.route(model).filter(|route| route.settings.pass_through)?;
    Some((route, rest))
}

/// Forwards a request, and returns the response of the upstream.
pub(super) async fn pass(
    shared: &Arc<ProxyShared>,
    route: &ProxyRoute,
    rest: &str,
    head: &Parts,
    body: Bytes,
) -> ProxyReply {
    let limit = shared.limit(route);
    let sent = forward(shared, route, rest, head, body);
    let answer = match limit {
        Some(limit) => timeout(limit, sent).await.unwrap_or_else(|_| Err(CallFailure::timeout(limit))),
        None => sent.await,
    };
    match answer {
        Ok(response) => returned(shared.defect, response, limit).await,
        // There is no upstream response, so the proxy sends an error of its own.
        Err(failure) => written(&failure.into_form(ErrorForm::of(route.api))),
    }
}

async fn forward(
    shared: &ProxyShared,
    route: &ProxyRoute,
    rest: &str,
    head: &Parts,
    body: Bytes,
) -> Result<reqwest::Response, CallFailure> {
    let mut url = format!("{}{rest}", route.base_url.trim_end_matches('/'));
    let callers_query = head.uri.query().unwrap_or_default();
    let mut query: Vec<String> = callers_query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("key="))
        .map(str::to_owned)
        .collect();
    let credential = dialect::credential(route);
    if let Credential::Query(name, value) = &credential {
        query.push(format!("{name}={value}"));
    }
    if !query.is_empty() {
        url = format!("{url}?{}", query.join("&"));
    }
    let mut request = shared.outbound.client.request(head.method.clone(), url);
    let hop_by_hop = headers::hop_by_hop(&head.headers);
    for (name, value) in &head.headers {
        if !hop_by_hop.iter().any(|hop| hop == name.as_str()) && !is_for_the_proxy(name.as_str()) {
            request = request.header(name, value);
        }
    }
    if let Credential::Header(name, value) = credential {
        request = request.header(name, value);
    }
    request.body(body).send().await.map_err(|error| super::attempt::transport(&error))
}

/// Whether a header is meant for the proxy only: its address, the length of the body on this hop, and the
/// key of the proxy.
fn is_for_the_proxy(name: &str) -> bool {
    matches!(name, "host" | "content-length" | "authorization" | "x-api-key" | "x-goog-api-key" | "api-key")
}

async fn returned(defect: Option<Defect>, response: reqwest::Response, gap: Option<Duration>) -> ProxyReply {
    let status = response.status().as_u16();
    let passed = end_to_end(response.headers(), defect);
    let is = |wanted: Defect| defect == Some(wanted);
    let is_stream = headers::value(&passed, "content-type").is_some_and(|kind| kind.contains("event-stream"));
    let mut reply = ProxyReply { status, headers: passed, body: ReplyBody::Whole(Bytes::new()) };
    if is(Defect::PassThroughStatusMade) && status >= 500 {
        reply.status = 502;
    }
    if is(Defect::PassThroughTypeMade) && !is_stream {
        reply.headers.retain(|(name, _)| name != "content-type");
        reply.headers.push(("content-type".into(), "application/json".into()));
    }
    let rewrites = is(Defect::PassThroughWrapped) || is(Defect::PassThroughRepaired);
    reply.body = if rewrites && !is_stream {
        match whole_body(response, false).await {
            Ok(body) => ReplyBody::Whole(rewritten(is(Defect::PassThroughWrapped), body)),
            Err(failure) => return written(&failure),
        }
    } else {
        let ends_well = is(Defect::PassThroughCutFinished);
        ReplyBody::Passed(Box::new(PassedBody { response, gap, ends_well }))
    };
    reply
}

/// Rewrites a body, as two defects do.
fn rewritten(wrap: bool, body: Bytes) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
    if wrap && !is_json {
        return serde_json::json!({"error": {"message": text, "type": "upstream_error"}}).to_string().into();
    }
    if wrap { body } else { text.into_owned().into() }
}

/// All headers of a response except those of the connection.
fn end_to_end(all: &HeaderMap, defect: Option<Defect>) -> Vec<(String, String)> {
    let hop_by_hop = headers::hop_by_hop(all);
    let is_dropped = |name: &str| match defect {
        Some(Defect::PassThroughHopByHop) => {
            matches!(name, "content-length" | "transfer-encoding" | "connection")
        }
        _ => name == "content-length" || hop_by_hop.iter().any(|hop| hop == name),
    };
    all.iter()
        .filter(|(name, _)| !is_dropped(name.as_str()))
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

/// A response body that is being relayed to the caller. Dropping it ends the upstream request.
#[derive(Debug)]
pub(super) struct PassedBody {
    response: reqwest::Response,
    /// The maximum time between two chunks.
    gap: Option<Duration>,
    /// Whether a body that breaks off is ended like a complete one. Only a defect sets this.
    ends_well: bool,
}

impl PassedBody {
    /// Returns the next bytes; an error if the upstream broke off, so that hyper aborts the caller's
    /// connection too.
    pub(super) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        let chunk = self.response.chunk();
        let next = match self.gap {
            Some(gap) => match timeout(gap, chunk).await {
                Ok(next) => next.map_err(io::Error::other),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            },
            None => chunk.await.map_err(io::Error::other),
        };
        match next {
            Ok(bytes) => bytes.map(Ok),
            Err(_) if self.ends_well => None,
            Err(error) => Some(Err(error)),
        }
    }
}
