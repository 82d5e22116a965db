//! One attempt: sends one request to an upstream and classifies its response.
//!
//! This file does the I/O and decides as little as possible; `classify` decides.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Certificate, Client, header::LOCATION};

use super::{
    classify,
    decoded_body::{BodyDecoding, BodyFailure, DecodedBody, LookingDecoder},
    envelope,
    failure::{CallFailure, Cause, RawUpstreamReply},
    headers,
    stream::UpstreamStop,
    translate,
    upstream_request::{CallerRequest, UpstreamRequest},
};
use crate::{
    dialect::carrier,
    proxy::ProxyRoute,
    scenario::Api,
    wire::{
        content_coding::ContentDecoder,
        frames::{Carrier, RawFrame, Splitter},
    },
};

/// The maximum size of an upstream response body, and of a single event, in bytes.
const MAX_BYTES: usize = 32 * 1024 * 1024;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The result of a successful attempt.
#[derive(Debug)]
pub(super) enum Success {
    /// A complete response, in the caller's dialect.
    Whole { status: u16, headers: Vec<(String, String)>, body: Bytes },
    /// An open WebSocket session.
    Session { headers: Vec<(String, String)>, upstream: Box<reqwest::Upgraded> },
    /// A stream whose first event is valid.
    Stream { headers: Vec<(String, String)>, first: RawFrame, source: Box<FrameSource> },
}

impl Success {
    /// The upstream's headers.
    pub(super) fn headers_mut(&mut self) -> &mut Vec<(String, String)> {
        match self {
            Self::Whole { headers, .. } | Self::Session { headers, .. } | Self::Stream { headers, .. } => {
                headers
            }
        }
    }
}

/// Sends requests to upstreams.
#[derive(Debug)]
pub(super) struct UpstreamClient {
    pub client: Client,
    /// Whether redirects are followed.
    pub follow_redirects: bool,
    /// Whether the content coding of a body is undone.
    pub decompress: bool,
    /// Whether a body is read as its headers say, and not as it looks.
    pub trust_body_headers: bool,
}

/// Builds the HTTP client for upstreams. It reuses connections, but never sends a request twice.
#[expect(
    clippy::disallowed_methods,
    reason = "the proxy's own client: everything that would send a request twice is turned off here"
)]
pub(super) fn client(ca: Option<&str>, check_certificates: bool) -> reqwest::Result<Client> {
    // An error means that a provider is already installed, and that is all we need.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = ca.map(|pem| Certificate::from_pem(pem.as_bytes())).transpose()?;
    Client::builder()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        // Upstreams are mocks on this machine, so the platform's root certificates are not needed. The
        // client uses HTTP/2 with upstreams that offer it.
        .tls_certs_only(authority)
        .tls_danger_accept_invalid_certs(!check_certificates)
        .build()
}

impl UpstreamClient {
    /// The body of a response with these headers.
    fn body(&self, response: reqwest::Response, headers: &[(String, String)]) -> DecodedBody {
        let coding = headers::coding(headers);
        let decoding = match (self.decompress, self.trust_body_headers) {
            (false, _) => BodyDecoding::Unchanged,
            (true, true) => {
                ContentDecoder::of(coding).map_or(BodyDecoding::Unchanged, BodyDecoding::Declared)
            }
            (true, false) => BodyDecoding::Looking(LookingDecoder::new(coding)),
        };
        DecodedBody::new(response, decoding)
    }

    async fn send(&self, sent: UpstreamRequest) -> reqwest::Result<reqwest::Response> {
        let response = self.send_once(&sent, &sent.url).await?;
        match response.headers().get(LOCATION).and_then(|location| location.to_str().ok()) {
            Some(location) if self.follow_redirects && response.status().is_redirection() => {
                self.send_once(&sent, location).await
            }
            _ => Ok(response),
        }
    }

    async fn send_once(&self, sent: &UpstreamRequest, url: &str) -> reqwest::Result<reqwest::Response> {
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

/// Sends the request to the upstream of `route` once. `limit` covers a complete response from start to
/// end, but a stream only up to its first event.
///
/// # Errors
///
/// The failure to send to the caller.
pub(super) async fn attempt(
    outbound: &UpstreamClient,
    route: &ProxyRoute,
    call: &CallerRequest,
    limit: Option<Duration>,
) -> Result<Success, CallFailure> {
    let attempt = send(outbound, route, call);
    match limit {
        Some(limit) => {
            tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Err(CallFailure::timeout(limit)))
        }
        None => attempt.await,
    }
}

async fn send(
    outbound: &UpstreamClient,
    route: &ProxyRoute,
    call: &CallerRequest,
) -> Result<Success, CallFailure> {
    let sent = call.for_route(route)?;
    let api = sent.api;
    let response = outbound.send(sent).await.map_err(|error| transport(&error))?;
    let status = response.status().as_u16();
    let headers = headers::texts(response.headers(), |_| true);
    if api.is_session() && status == 101 {
        let upgraded = response.upgrade().await.map_err(|error| transport(&error))?;
        return Ok(Success::Session { headers, upstream: Box::new(upgraded) });
    }
    let content_type = headers::value(&headers, "content-type").unwrap_or_default();
    let is_stream = match Carrier::of(content_type) {
        // Like the official SDKs, a tolerant proxy expects what it asked for.
        None => !outbound.trust_body_headers && !content_type.contains("json"),
        carried => carried == Some(carrier(api)),
    };
    let is_readable = outbound.decompress || headers::coding(&headers).is_none();
    let body = outbound.body(response, &headers);
    if call.is_framed() && is_stream && is_readable && classify::is_success(status) {
        return open(FrameSource::new(body, api), headers).await;
    }
    let mut body = whole_body(body, classify::is_success(status)).await?;
    if !outbound.trust_body_headers && body.starts_with(BYTE_ORDER_MARK) {
        body = body.slice(BYTE_ORDER_MARK.len()..);
    }
    classify::whole(api, status, headers.clone(), body.clone())?;
    if call.is_framed() {
        // The caller waits for events and cannot use a completion in one piece.
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
    let body = translate::reply(call.api, api, body);
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
                // Not an event, but possibly a JSON error without a frame.
                classify::whole(source.api, 200, headers.clone(), rest)?;
            }
            let empty = classify::first_frame(source.api, None, &headers);
            Err(empty.err().unwrap_or_else(CallFailure::disconnected))
        }
        Err(UpstreamStop::Miscoded) => Err(miscoded()),
        Err(UpstreamStop::Cut | UpstreamStop::Gap(_)) => Err(CallFailure::disconnected()),
    }
}

/// Reads a body to its end. Unless `must_be_whole`, a body that breaks off is returned as far as it came:
/// the status of an error is worth passing on even if its body is incomplete.
pub(super) async fn whole_body(mut source: DecodedBody, must_be_whole: bool) -> Result<Bytes, CallFailure> {
    let mut body = BytesMut::new();
    loop {
        match source.chunk().await {
            Ok(Some(bytes)) if body.len() + bytes.len() <= MAX_BYTES => body.extend_from_slice(&bytes),
            Ok(Some(_)) => return Err(CallFailure::disconnected()),
            Ok(None) => return Ok(body.freeze()),
            Err(_) if !must_be_whole => return Ok(body.freeze()),
            Err(BodyFailure::Lost(error)) => return Err(transport(&error)),
            Err(BodyFailure::Miscoded) => return Err(miscoded()),
        }
    }
}

/// The failure for a body that is not in the content coding that its headers declare.
fn miscoded() -> CallFailure {
    let message = "The upstream's body is not in the content coding that its headers declare.";
    CallFailure::own(Cause::OddBody, 502, envelope::UPSTREAM_ERROR, Some(envelope::INVALID_RESPONSE), message)
}

/// The failure for a transport error. It contains nothing of the error's text, which names the upstream's
/// URL.
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
    /// The API that the frames belong to.
    pub api: Api,
    body: DecodedBody,
    splitter: Splitter,
}

impl FrameSource {
    fn new(body: DecodedBody, api: Api) -> Self {
        Self { api, body, splitter: Splitter::new(carrier(api)) }
    }

    /// Returns the next frame, or how the stream stopped.
    pub(super) async fn next(&mut self) -> Result<RawFrame, UpstreamStop> {
        loop {
            if let Some(frame) = self.splitter.pop() {
                return Ok(frame);
            }
            match self.body.chunk().await {
                Ok(Some(bytes)) if self.splitter.waiting() + bytes.len() <= MAX_BYTES => {
                    self.splitter.feed(&bytes);
                }
                Ok(None) => return self.splitter.last().ok_or(UpstreamStop::Clean),
                Err(BodyFailure::Miscoded) => return Err(UpstreamStop::Miscoded),
                Ok(Some(_)) | Err(BodyFailure::Lost(_)) => return Err(UpstreamStop::Cut),
            }
        }
    }

    /// Takes the bytes at the end of the stream that do not form a frame.
    pub(super) fn rest(&mut self) -> Bytes {
        self.splitter.rest()
    }
}
