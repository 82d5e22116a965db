//! One attempt: a request to an upstream and what came of it. I/O, kept thin.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Certificate, Client, header::LOCATION};

use super::{
    classify, envelope,
    failure::{CallFailure, Cause, RawUpstreamReply},
    headers,
    split::{RawFrame, Splitter},
    stream::UpstreamStop,
    translate,
    upstream_request::{Ask, UpstreamRequest},
};
use crate::{provider, proxy::ProxyRoute, scenario::Api, wire::frames::Carrier};

/// No upstream answer, and no single event, is longer.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What an attempt brought, if it was no failure.
#[derive(Debug)]
pub(super) enum Success {
    /// A whole answer, in the caller's dialect.
    Whole { status: u16, headers: Vec<(String, String)>, body: Bytes },
    /// A session that stands.
    Session { headers: Vec<(String, String)>, upstream: Box<reqwest::Upgraded> },
    /// A stream whose first event is good.
    Stream { headers: Vec<(String, String)>, first: RawFrame, source: Box<FrameSource> },
}

/// How upstreams are asked.
#[derive(Debug)]
pub(super) struct UpstreamClient {
    pub client: Client,
    /// Only ever done by a defect.
    pub follow_redirects: bool,
}

/// The client for upstreams. Connections may be used again, but no request is sent twice.
#[expect(
    clippy::disallowed_methods,
    reason = "a proxy's own client: what would send twice is turned off here"
)]
pub(super) fn client(ca: Option<&str>, check_certificates: bool) -> reqwest::Result<Client> {
    // An error says that a provider is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = ca.map(|pem| Certificate::from_pem(pem.as_bytes())).transpose()?;
    Client::builder()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        // Upstreams are mocks on this machine: no need to read the platform's roots. HTTP/2 is spoken
        // with those that offer it.
        .tls_certs_only(authority)
        .tls_danger_accept_invalid_certs(!check_certificates)
        .build()
}

impl UpstreamClient {
    async fn send(&self, sent: UpstreamRequest) -> reqwest::Result<reqwest::Response> {
        let response = self.ask(&sent, &sent.url).await?;
        match response.headers().get(LOCATION).and_then(|location| location.to_str().ok()) {
            Some(location) if self.follow_redirects && response.status().is_redirection() => {
                self.ask(&sent, location).await
            }
            _ => Ok(response),
        }
    }

    async fn ask(&self, sent: &UpstreamRequest, url: &str) -> reqwest::Result<reqwest::Response> {
        let mut request = self.client.request(sent.method.clone(), url);
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &sent.body {
            request = request.body(body.clone());
        }
        request.send().await
    }
}

/// Asks the upstream of `route` once. For a whole answer `limit` covers all of it; for a stream,
/// everything up to the first event.
///
/// # Errors
///
/// The failure that the caller is to be told.
pub(super) async fn attempt(
    outbound: &UpstreamClient,
    route: &ProxyRoute,
    ask: &Ask,
    limit: Option<Duration>,
) -> Result<Success, CallFailure> {
    let attempt = send(outbound, route, ask);
    match limit {
        Some(limit) => {
            tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Err(CallFailure::timeout(limit)))
        }
        None => attempt.await,
    }
}

async fn send(outbound: &UpstreamClient, route: &ProxyRoute, ask: &Ask) -> Result<Success, CallFailure> {
    let sent = ask.sent(route)?;
    let api = sent.api;
    let response = outbound.send(sent).await.map_err(|error| transport(&error))?;
    let status = response.status().as_u16();
    let headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    if api.is_session() && status == 101 {
        let upgraded = response.upgrade().await.map_err(|error| transport(&error))?;
        return Ok(Success::Session { headers, upstream: Box::new(upgraded) });
    }
    let content_type = headers::value(&headers, "content-type").unwrap_or_default();
    let is_stream = Carrier::of(content_type) == Some(provider::carrier(api));
    let is_plain = headers::coding(&headers).is_none();
    if ask.is_framed() && is_stream && is_plain && classify::is_success(status) {
        return open(FrameSource::new(response, api), headers).await;
    }
    let body = whole_body(response, classify::is_success(status)).await?;
    classify::whole(api, status, headers.clone(), body.clone())?;
    if ask.is_framed() {
        // A completion in one piece is no answer to somebody who waits for events.
        let message = "The upstream answered a request for a stream with something else.";
        let mut failure = CallFailure::own(
            Cause::OddBody,
            502,
            envelope::UPSTREAM_ERROR,
            Some(envelope::INVALID_RESPONSE),
            message,
        );
        failure.raw = Some(Box::new(RawUpstreamReply { headers, body }));
        return Err(failure);
    }
    let body = translate::reply(ask.api, api, body);
    Ok(Success::Whole { status, headers, body })
}

async fn open(mut source: FrameSource, headers: Vec<(String, String)>) -> Result<Success, CallFailure> {
    match source.next().await {
        Ok(first) => {
            classify::first_frame(source.api, Some(&first), &headers)?;
            Ok(Success::Stream { headers, first, source: Box::new(source) })
        }
        Err(UpstreamStop::Clean) => {
            let rest = source.rest();
            if !rest.is_empty() {
                // No event, but perhaps a bare JSON error.
                classify::whole(source.api, 200, headers.clone(), rest)?;
            }
            let empty = classify::first_frame(source.api, None, &headers);
            Err(empty.err().unwrap_or_else(CallFailure::disconnected))
        }
        Err(UpstreamStop::Cut | UpstreamStop::Gap(_)) => Err(CallFailure::disconnected()),
    }
}

/// Reads a body to its end. An error's body may end early: its status is worth passing on.
pub(super) async fn whole_body(
    mut response: reqwest::Response,
    must_be_whole: bool,
) -> Result<Bytes, CallFailure> {
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) if body.len() + bytes.len() <= MAX_BYTES => body.extend_from_slice(&bytes),
            Ok(Some(_)) => return Err(CallFailure::disconnected()),
            Ok(None) => return Ok(body.freeze()),
            Err(_) if !must_be_whole => return Ok(body.freeze()),
            Err(error) => return Err(transport(&error)),
        }
    }
}

/// The text of the error names the URL, so none of it is shown.
pub(super) fn transport(error: &reqwest::Error) -> CallFailure {
    if error.is_connect() || error.is_builder() {
        CallFailure::unreachable()
    } else {
        CallFailure::disconnected()
    }
}

/// The frames of a response, with their bytes.
#[derive(Debug)]
pub(super) struct FrameSource {
    /// Whose frames they are.
    pub api: Api,
    response: reqwest::Response,
    splitter: Splitter,
}

impl FrameSource {
    fn new(response: reqwest::Response, api: Api) -> Self {
        Self { api, response, splitter: Splitter::new(provider::carrier(api)) }
    }

    /// The next frame, or how the stream stopped.
    pub async fn next(&mut self) -> Result<RawFrame, UpstreamStop> {
        loop {
            if let Some(frame) = self.splitter.pop() {
                return Ok(frame);
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) if self.splitter.waiting() + bytes.len() <= MAX_BYTES => {
                    self.splitter.feed(&bytes);
                }
                Ok(None) => return self.splitter.last().ok_or(UpstreamStop::Clean),
                Ok(Some(_)) | Err(_) => return Err(UpstreamStop::Cut),
            }
        }
    }

    /// Bytes that made no frame.
    pub fn rest(&mut self) -> Bytes {
        self.splitter.rest()
    }
}
