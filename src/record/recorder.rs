//! The recorder: passes requests to a real provider and the responses back, and reports every exchange.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use reqwest::{Client, Url};
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    exchange::{PassedEnd, PassedExchange, PassedReply},
    passing::PassingBody,
    requested::requested,
    secrets::secrets,
    upstream_error::{end_without_reply, root},
};
use crate::{
    provider::MAX_REQUEST_BYTES,
    scenario::Provider,
    wire::{hop::hop_by_hop, loopback::is_loopback},
};

/// How long the recorder waits for a connection to the upstream.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A running recorder. Dropping it ends its listener and all of its connections.
#[derive(Debug)]
pub(crate) struct Recorder {
    address: SocketAddr,
    exchanges: UnboundedReceiver<PassedExchange>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// Why a recorder does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecorderError {
    /// The address cannot be bound.
    #[error("cannot listen: {0}")]
    Listen(#[source] io::Error),
    /// The HTTP client for the upstream cannot be set up, usually because the system has no certificates to trust.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
}

/// What all requests share.
#[derive(Debug)]
struct RecorderState {
    client: Client,
    /// `https://api.openai.com`
    origin: String,
    provider: Provider,
    passed: UnboundedSender<PassedExchange>,
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl Recorder {
    /// Starts a recorder on `listen` (port 0 for a free one) in front of the upstream with this origin
    /// (`https://api.openai.com`). The path of a request stays as it is.
    ///
    /// # Errors
    ///
    /// [`RecorderError`].
    pub(crate) async fn start(
        listen: SocketAddr,
        origin: &str,
        provider: Provider,
    ) -> Result<Self, RecorderError> {
        let client = client(origin).map_err(|error| RecorderError::Client(root(&error)))?;
        let listener = TcpListener::bind(listen).await.map_err(RecorderError::Listen)?;
        let address = listener.local_addr().map_err(RecorderError::Listen)?;
        let (passed, exchanges) = unbounded_channel();
        let state = Arc::new(RecorderState { client, origin: origin.to_owned(), provider, passed });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let accepting = accept(listener, state, stop.clone(), tasks.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(accepting));
        Ok(Self { address, exchanges, stop, tasks })
    }

    /// The address on which it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next exchange that has ended. Cancel-safe.
    pub(crate) async fn next(&mut self) -> PassedExchange {
        match self.exchanges.recv().await {
            Some(exchange) => exchange,
            // The listener holds a sender until `shutdown`, so there is always a next exchange to wait for.
            None => std::future::pending().await,
        }
    }

    /// Ends the listener and all connections. Returns the exchanges that have ended and that [`next`](Self::next) did not
    /// return, and the number of those that had not ended.
    pub(crate) async fn shutdown(mut self) -> (Vec<PassedExchange>, usize) {
        let mut ended: Vec<PassedExchange> = std::iter::from_fn(|| self.exchanges.try_recv().ok()).collect();
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        let mut open = 0;
        while let Ok(exchange) = self.exchanges.try_recv() {
            // From here on, the recorder itself makes the clients leave. Any other end is one that the upstream made.
            match exchange.end {
                PassedEnd::ClientLeft => open += 1,
                _ => ended.push(exchange),
            }
        }
        (ended, open)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The client for the upstream. It trusts the platform's certificates, follows no redirect and sends nothing twice.
#[expect(
    clippy::disallowed_methods,
    reason = "the recorder's own client, to real providers: everything that would send a request twice is turned off here"
)]
fn client(origin: &str) -> reqwest::Result<Client> {
    // An error means that a provider is already installed, and that is all we need.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT);
    let is_local = Url::parse(origin).is_ok_and(|url| url.host_str().is_some_and(is_loopback));
    // A proxy of the network is for hosts outside of this machine.
    if is_local { builder.no_proxy().build() } else { builder.build() }
}

async fn accept(
    listener: TcpListener,
    state: Arc<RecorderState>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // The process is probably out of file descriptors; wait until some are closed.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        // Disable Nagle's algorithm: small parts must not wait for each other.
        let _ = socket.set_nodelay(true);
        let state = state.clone();
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            let service = service_fn(|request| pass(state.clone(), request));
            // An error means that the client has left, so there is no one to send it to.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        }));
    }
}

/// Passes one request on. An error closes the connection without a response, as the upstream did.
async fn pass(state: Arc<RecorderState>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    if asks_for_websocket(&parts.headers) {
        return Ok(own(StatusCode::NOT_IMPLEMENTED, "sessions over a WebSocket cannot be recorded"));
    }
    let Ok(body) = Limited::new(body, MAX_REQUEST_BYTES).collect().await else {
        return Ok(own(StatusCode::PAYLOAD_TOO_LARGE, "the request is incomplete or too large"));
    };
    let body = body.to_bytes();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let query = parts.uri.query().unwrap_or_default();
    let (api, stream) = requested(state.provider, parts.method.as_str(), target, &parts.headers, &body);
    let mut exchange = PassedExchange {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        provider: state.provider,
        api,
        stream,
        secrets: secrets(&parts.headers, query),
        reply: None,
        first: Duration::ZERO,
        end: PassedEnd::ClientLeft,
        silence: Duration::ZERO,
    };
    let headers = passed_on(&parts.headers);
    let sending = state.client.request(parts.method, format!("{}{target}", state.origin));
    let began = Instant::now();
    let mut unanswered = Unanswered { exchange: Some(exchange.clone()), began, passed: state.passed.clone() };
    let answered = sending.headers(headers).body(body).send().await;
    unanswered.exchange = None;
    exchange.first = began.elapsed();
    match answered {
        Ok(response) => Ok(respond(&state, exchange, response)),
        Err(error) => {
            exchange.end = end_without_reply(&error);
            let refusal = match &exchange.end {
                PassedEnd::Reset | PassedEnd::Closed => {
                    Err(io::Error::from(io::ErrorKind::ConnectionAborted))
                }
                _ => {
                    Ok(own(StatusCode::BAD_GATEWAY, &format!("cannot reach the upstream: {}", root(&error))))
                }
            };
            let _ = state.passed.send(exchange);
            refusal
        }
    }
}

/// Whether a request offers to continue as a WebSocket. The recorder ignores any other offer, such as `h2c`, as a server may
/// (RFC 9110 section 7.8).
fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let offers = headers.get_all(header::UPGRADE).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|value| value.split(',')).any(|offer| offer.trim().eq_ignore_ascii_case("websocket"))
}

/// Reports an exchange whose client leaves before the upstream has answered.
struct Unanswered {
    exchange: Option<PassedExchange>,
    began: Instant,
    passed: UnboundedSender<PassedExchange>,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(mut exchange) = self.exchange.take() {
            exchange.first = self.began.elapsed();
            let _ = self.passed.send(exchange);
        }
    }
}

fn respond(
    state: &RecorderState,
    mut exchange: PassedExchange,
    upstream: reqwest::Response,
) -> Response<Body> {
    let status = upstream.status();
    let of_connection = hop_by_hop(upstream.headers());
    let passed = || {
        upstream.headers().iter().filter(|(name, _)| !of_connection.iter().any(|hop| hop == name.as_str()))
    };
    let known = |(name, value): (&HeaderName, &HeaderValue)| {
        // A value that is not text cannot be in a file.
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers = passed().filter_map(known).collect();
    exchange.reply = Some(PassedReply { status: status.as_u16(), headers, parts: Vec::new() });
    let mut response = Response::new(());
    *response.status_mut() = status;
    response.headers_mut().extend(passed().map(|(name, value)| (name.clone(), value.clone())));
    let body = PassingBody::new(exchange, upstream, state.passed.clone());
    let pieces = futures_util::stream::unfold(body, |mut body: PassingBody| async move {
        let piece = body.next().await?;
        Some((piece.map(Frame::data), body))
    });
    response.map(|()| BodyExt::boxed_unsync(StreamBody::new(pieces)))
}

/// The headers of a request that are sent to the upstream. A compressed response could not be redacted, so the upstream is
/// asked for none.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let own = [header::HOST, header::CONTENT_LENGTH, header::ACCEPT_ENCODING];
    let of_connection = hop_by_hop(headers);
    let kept = headers
        .iter()
        .filter(|(name, _)| !own.contains(name) && !of_connection.iter().any(|hop| hop == name.as_str()));
    let mut passed: HeaderMap = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    passed.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    passed
}

/// A response of the recorder itself.
fn own(status: StatusCode, message: &str) -> Response<Body> {
    let text = format!("upfault record: {message}\n");
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_exchange_that_ends_during_the_shutdown_is_not_lost() {
        let (passed, exchanges) = unbounded_channel();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        passed.send(PassedExchange::without_reply(PassedEnd::ClientLeft)).unwrap();
        let cancelled = stop.clone();
        tasks.spawn(async move {
            cancelled.cancelled().await;
            passed.send(PassedExchange::without_reply(PassedEnd::Complete)).unwrap();
            passed.send(PassedExchange::without_reply(PassedEnd::ClientLeft)).unwrap();
        });
        let address = ([127, 0, 0, 1], 0).into();
        let recorder = Recorder { address, exchanges, stop, tasks };
        let (last, open) = recorder.shutdown().await;
        let ends: Vec<PassedEnd> = last.into_iter().map(|exchange| exchange.end).collect();
        assert_eq!((ends, open), (vec![PassedEnd::ClientLeft, PassedEnd::Complete], 1));
    }

    #[test]
    fn only_an_offer_of_a_websocket_asks_for_one() {
        for (offer, asks) in
            [("websocket", true), ("WebSocket", true), ("h2c, websocket", true), ("h2c", false)]
        {
            let headers = HeaderMap::from_iter([(header::UPGRADE, HeaderValue::from_static(offer))]);
            assert_eq!(asks_for_websocket(&headers), asks, "{offer}");
        }
        assert!(!asks_for_websocket(&HeaderMap::new()));
    }
}
