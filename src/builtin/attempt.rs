//! One attempt: a request to an upstream and what came of it. I/O, kept thin.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::Client;

use super::{
    classify,
    failure::{Cause, Failure, Raw},
    stream::Stop,
};
use crate::{proxy::Route, wire::sse};

/// No upstream answer, and no single event, is longer.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// What an attempt brought, if it was no failure.
#[derive(Debug)]
pub(super) enum Success {
    /// A whole completion.
    Whole { status: u16, headers: Vec<(String, String)>, body: Bytes },
    /// A stream whose first event is good.
    Stream { headers: Vec<(String, String)>, first: RawEvent, source: Box<EventSource> },
}

/// An event with the bytes that it was made of.
#[derive(Debug)]
pub(super) struct RawEvent {
    pub event: sse::Event,
    pub raw: Bytes,
}

/// The client for upstreams. Connections may be used again, but no request is sent twice.
#[expect(
    clippy::disallowed_methods,
    reason = "a proxy's own client: what would send twice is turned off here"
)]
pub(super) fn client() -> reqwest::Result<Client> {
    // An error says that a provider is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .http1_only()
        .connect_timeout(Duration::from_secs(10))
        // Upstreams are mocks on this machine: no need to read the platform's roots.
        .tls_certs_only([])
        .build()
}

/// Asks the upstream of `route` once. For a whole answer `limit` covers all of it; for a stream,
/// everything up to the first event.
///
/// # Errors
///
/// The failure that the caller is to be told.
pub(super) async fn attempt(
    client: &Client,
    route: &Route,
    body: Bytes,
    stream: bool,
    limit: Option<Duration>,
) -> Result<Success, Failure> {
    let attempt = ask(client, route, body, stream);
    match limit {
        Some(limit) => {
            tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| Err(Failure::timeout(limit)))
        }
        None => attempt.await,
    }
}

async fn ask(client: &Client, route: &Route, body: Bytes, stream: bool) -> Result<Success, Failure> {
    let response = client
        .post(format!("{}/chat/completions", route.base_url.trim_end_matches('/')))
        .bearer_auth(&route.api_key)
        .header("content-type", "application/json")
        .header("accept", if stream { "text/event-stream" } else { "application/json" })
        .body(body)
        .send()
        .await
        .map_err(|error| transport(&error))?;
    let status = response.status().as_u16();
    let headers: Vec<_> = response
        .headers()
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let is_event_stream = headers.iter().any(|(name, value)| {
        name == "content-type" && value.trim_start().to_ascii_lowercase().starts_with("text/event-stream")
    });
    if stream && is_event_stream && classify::is_success(status) {
        return open(EventSource::new(response), headers).await;
    }
    let body = whole_body(response, classify::is_success(status)).await?;
    classify::whole(status, headers.clone(), body.clone())?;
    if stream {
        // A completion in one piece is no answer to somebody who waits for events.
        let message = "The upstream answered a request for a stream with something else.";
        let mut failure = Failure::own(
            Cause::OddBody,
            502,
            super::envelope::UPSTREAM_ERROR,
            Some("invalid_upstream_response"),
            message,
        );
        failure.raw = Some(Box::new(Raw { headers, body }));
        return Err(failure);
    }
    Ok(Success::Whole { status, headers, body })
}

async fn open(mut source: EventSource, headers: Vec<(String, String)>) -> Result<Success, Failure> {
    match source.next().await {
        Ok(first) => {
            classify::first_event(Some(&first.event), &headers)?;
            Ok(Success::Stream { headers, first, source: Box::new(source) })
        }
        Err(Stop::Clean) => {
            let rest = source.rest();
            if !rest.is_empty() {
                // No event, but perhaps a bare JSON error.
                classify::whole(200, headers.clone(), rest)?;
            }
            Err(classify::first_event(None, &headers).err().unwrap_or_else(Failure::disconnected))
        }
        Err(Stop::Cut | Stop::Gap(_)) => Err(Failure::disconnected()),
    }
}

/// Reads a body to its end. An error's body may end early: its status is worth passing on.
async fn whole_body(mut response: reqwest::Response, must_be_whole: bool) -> Result<Bytes, Failure> {
    let mut body = BytesMut::new();
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) if body.len() + bytes.len() <= MAX_BYTES => body.extend_from_slice(&bytes),
            Ok(Some(_)) => return Err(Failure::disconnected()),
            Ok(None) => return Ok(body.freeze()),
            Err(_) if !must_be_whole => return Ok(body.freeze()),
            Err(error) => return Err(transport(&error)),
        }
    }
}

/// The text of the error names the URL, so none of it is shown.
fn transport(error: &reqwest::Error) -> Failure {
    if error.is_connect() || error.is_builder() { Failure::unreachable() } else { Failure::disconnected() }
}

/// The events of a response, with their bytes.
#[derive(Debug)]
pub(super) struct EventSource {
    response: reqwest::Response,
    decoder: sse::Decoder,
    /// Bytes of events that have not been handed out.
    raw: BytesMut,
    /// The offset in the stream at which `raw` begins.
    offset: u64,
}

impl EventSource {
    fn new(response: reqwest::Response) -> Self {
        Self { response, decoder: sse::Decoder::lenient(), raw: BytesMut::new(), offset: 0 }
    }

    /// The next event, or how the stream stopped.
    pub async fn next(&mut self) -> Result<RawEvent, Stop> {
        loop {
            if let Some(event) = self.decoder.pop() {
                let mut length = (event.span.end.saturating_sub(self.offset) as usize).min(self.raw.len());
                // The LF after a final CR is the next event's by its span. It goes out with this
                // one if it is here: some clients look for nothing but `\r\n\r\n`.
                if self.raw[..length].ends_with(b"\r") && self.raw.get(length) == Some(&b'\n') {
                    length += 1;
                }
                self.offset += length as u64;
                return Ok(RawEvent { event, raw: self.raw.split_to(length).freeze() });
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) if self.raw.len() + bytes.len() <= MAX_BYTES => {
                    self.raw.extend_from_slice(&bytes);
                    // A lenient decoder refuses nothing.
                    let _ = self.decoder.feed(&bytes);
                }
                Ok(None) => return Err(Stop::Clean),
                Ok(Some(_)) | Err(_) => return Err(Stop::Cut),
            }
        }
    }

    /// Bytes that made no event.
    fn rest(&mut self) -> Bytes {
        let rest = self.raw.split().freeze();
        if rest.iter().all(u8::is_ascii_whitespace) { Bytes::new() } else { rest }
    }
}
