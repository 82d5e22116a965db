//! Pass-through routes: forward a request to a provider, and its response to the caller, unchanged except for
//! hop-by-hop headers and credentials.

use std::{io, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::request::Parts;
use tokio::time::timeout;

use super::{
    attempt,
    dialect::{self, Credential, ErrorForm},
    failure::CallFailure,
    headers,
    reply::{BodyPieces, ProxyReply, ReplyBody},
    shared::ProxyShared,
};
use crate::{dialect::row, provider::endpoint, proxy::ProxyRoute, scenario::Api, wire::hop::hop_by_hop};

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
    shared: &ProxyShared,
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
        Ok(response) => returned(shared, response, limit),
        // There is no upstream response, so the proxy sends an error of its own.
        Err(failure) => ProxyReply::failure(&failure.into_form(ErrorForm::of(route.api))),
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
    let of_connection = hop_by_hop(&head.headers);
    for (name, value) in &head.headers {
        if !of_connection.iter().any(|hop| hop == name.as_str()) && !is_for_the_proxy(name.as_str()) {
            request = request.header(name, value);
        }
    }
    if let Credential::Header(name, value) = credential {
        request = request.header(name, value);
    }
    request.body(body).send().await.map_err(|error| attempt::transport(&error))
}

/// Whether a header is meant for the proxy only: its address, the length of the body on this hop, and the
/// key of the proxy.
fn is_for_the_proxy(name: &str) -> bool {
    matches!(name, "host" | "content-length" | "authorization" | "x-api-key" | "x-goog-api-key" | "api-key")
}

fn returned(shared: &ProxyShared, response: reqwest::Response, gap: Option<Duration>) -> ProxyReply {
    let upstream = response.headers();
    let mut status = response.status().as_u16();
    let of_connection = hop_by_hop(upstream);
    let mut passed = headers::texts(upstream, |name| {
        name != "content-length" && !of_connection.iter().any(|hop| hop == name)
    });
    let is_stream = headers::value(&passed, "content-type").is_some_and(|kind| kind.contains("event-stream"));
    shared.extension.passed_head(&mut status, &mut passed, upstream);
    let body = shared.extension.passed_body(is_stream, pieces(response, gap));
    ProxyReply { status, headers: passed, body: ReplyBody::Stream(body) }
}

/// The body of a response. It ends with an error if the upstream breaks off, or sends nothing for `gap`.
fn pieces(response: reqwest::Response, gap: Option<Duration>) -> BodyPieces {
    let next = move |mut response: reqwest::Response| async move {
        let chunk = response.chunk();
        let next = match gap {
            Some(gap) => match timeout(gap, chunk).await {
                Ok(next) => next.map_err(io::Error::other),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            },
            None => chunk.await.map_err(io::Error::other),
        };
        Some((next.transpose()?, response))
    };
    stream::unfold(response, next).boxed()
}
