//! Requests that are handed to a provider as they are, and its answers back: only what belongs to one
//! hop stays behind.

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
use crate::{provider::endpoint, proxy::ProxyRoute, scenario::Api};

/// Below it stands the name of a route, and then what the provider's own SDK would ask for.
const ROOT: &str = "/pass-through/";

/// Where a caller sends a request of `api` that is to be passed through; `None` where the provider has
/// no such endpoint.
pub fn pass_through_path(route: &ProxyRoute, api: Api, stream: bool) -> Option<String> {
    let behind = endpoint(route.provider, api, stream, &route.upstream_model)?;
    Some(format!("{ROOT}{}{behind}", route.model))
}

/// The route that a path names, and the rest of the path.
pub(super) fn address<'s, 'p>(shared: &'s ProxyShared, path: &'p str) -> Option<(&'s ProxyRoute, &'p str)> {
    let named = path.strip_prefix(ROOT)?;
    let (model, rest) = named.split_at(named.find('/').unwrap_or(named.len()));
    let route = shared.route(model).filter(|route| route.pass_through)?;
    Some((route, rest))
}

/// Hands a request on, and its answer back.
pub(super) async fn pass(
    shared: &Arc<ProxyShared>,
    route: &ProxyRoute,
    rest: &str,
    head: &Parts,
    body: Bytes,
) -> ProxyReply {
    let limit = shared.limit(route);
    let asked = ask(shared, route, rest, head, body);
    let answer = match limit {
        Some(limit) => timeout(limit, asked).await.unwrap_or_else(|_| Err(CallFailure::timeout(limit))),
        None => asked.await,
    };
    match answer {
        Ok(response) => handed_back(shared.defect, response, limit).await,
        // There is no answer to hand back, so the proxy has to speak for itself.
        Err(failure) => written(&failure.into_family(ErrorForm::of(route.api))),
    }
}

async fn ask(
    shared: &ProxyShared,
    route: &ProxyRoute,
    rest: &str,
    head: &Parts,
    body: Bytes,
) -> Result<reqwest::Response, CallFailure> {
    let mut url = format!("{}{rest}", route.base_url.trim_end_matches('/'));
    let own = head.uri.query().unwrap_or_default();
    let mut query: Vec<String> = own
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

/// What a caller tells the proxy alone: where it is, and by which key it may be used.
fn is_for_the_proxy(name: &str) -> bool {
    matches!(name, "host" | "content-length" | "authorization" | "x-api-key" | "x-goog-api-key" | "api-key")
}

async fn handed_back(
    defect: Option<Defect>,
    response: reqwest::Response,
    gap: Option<Duration>,
) -> ProxyReply {
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
    let rewrites = is(Defect::PassThroughWrapped) || is(Defect::PassThroughMended);
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

/// Only ever done by a defect.
fn rewritten(wrap: bool, body: Bytes) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
    if wrap && !is_json {
        return serde_json::json!({"error": {"message": text, "type": "upstream_error"}}).to_string().into();
    }
    if wrap { body } else { text.into_owned().into() }
}

/// All headers of an answer but those of the connection that it came by.
fn end_to_end(all: &HeaderMap, defect: Option<Defect>) -> Vec<(String, String)> {
    let hop_by_hop = headers::hop_by_hop(all);
    let stays_behind = |name: &str| match defect {
        Some(Defect::PassThroughHopByHop) => {
            matches!(name, "content-length" | "transfer-encoding" | "connection")
        }
        _ => name == "content-length" || hop_by_hop.iter().any(|hop| hop == name),
    };
    all.iter()
        .filter(|(name, _)| !stays_behind(name.as_str()))
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

/// The body of an answer on its way to the caller. Dropping it ends the upstream request.
#[derive(Debug)]
pub(super) struct PassedBody {
    response: reqwest::Response,
    /// The longest silence between two pieces.
    gap: Option<Duration>,
    /// Whether a body that breaks off is ended as if it were whole (only ever so by a defect).
    ends_well: bool,
}

impl PassedBody {
    /// The next bytes; an error where the upstream broke off, so that the caller's connection does too.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
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
