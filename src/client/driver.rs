//! Sends requests and records the responses.

use std::sync::OnceLock;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use reqwest::{Client, ClientBuilder, Request, header};
use tokio::time::Instant;

use super::{
    call::ClientCall,
    caller::{Caller, Clock},
    connection,
    ending::ending_of,
    leave::{Leaving, UpstreamHasRequest},
    session,
};
use crate::{
    observation::{CallerLeft, Exchange, ExchangeOutcome, ResponseEnd},
    scenario::Leave,
};

/// An HTTP client without retries, redirects and connection reuse: each [`send`](Self::send) makes one connection
/// and one request.
#[derive(Debug)]
pub(crate) struct Driver {
    plain: Client,
    /// The client for `https`, created at its first use: loading the platform's root certificates takes time, and a
    /// machine without any can still test over loopback.
    secure: OnceLock<Result<Client, String>>,
}

/// The HTTP client could not be created.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct ClientError(#[from] reqwest::Error);

impl Driver {
    /// Creates a driver; does not connect.
    ///
    /// # Errors
    ///
    /// The HTTP client cannot be created.
    pub(crate) fn new() -> Result<Self, ClientError> {
        Ok(Self { plain: builder().tls_certs_only([]).build()?, secure: OnceLock::new() })
    }

    /// Sends `call` and records the response, until it ends or `deadline` passes. Times are in milliseconds since
    /// `epoch`. Every failure is part of the record.
    ///
    /// The record's request headers are those of the call; in addition, the client sends `host`,
    /// `content-length` and, if the call has no `accept`, `accept: */*`.
    ///
    /// A call that asks for a WebSocket opens a session: the call's body is sent when the session is open, and the
    /// session lasts until a response, an error or its end.
    ///
    /// The record groups headers with the same name, in the order in which they arrived.
    pub(crate) async fn send(&self, call: ClientCall, epoch: Instant, deadline: Instant) -> Exchange {
        let clock = Clock(epoch);
        let sent_ms = clock.now();
        let outcome = if session::is_session(&call) {
            session::hold(&call, clock, deadline).await
        } else {
            match self.prepare(&call) {
                Ok((client, request)) => {
                    let sending = async { client.execute(request).await.map(http::Response::from) };
                    Caller::new(clock, deadline, call.carrier).record(sending).await
                }
                Err(reason) => ExchangeOutcome::NoAnswer { ending: ResponseEnd::Broken(reason) },
            }
        };
        recorded(call, sent_ms, clock, outcome)
    }

    /// Sends `call` over plain HTTP and disconnects as `leave` specifies; otherwise like [`send`](Self::send).
    /// `asked` resolves when an upstream has received the request. The record contains the part of the response
    /// that arrived before the caller disconnected, and the time at which it did.
    pub(crate) async fn send_and_leave(
        &self,
        call: ClientCall,
        leave: Leave,
        asked: UpstreamHasRequest<'_>,
        epoch: Instant,
        deadline: Instant,
    ) -> Exchange {
        let clock = Clock(epoch);
        let sent_ms = clock.now();
        let mut caller = Caller::new(clock, deadline, call.carrier);
        let outcome = match visit(&call, leave, asked, &mut caller).await {
            Ok(outcome) => outcome,
            Err(ending) => ExchangeOutcome::NoAnswer { ending },
        };
        let left = caller.left().map(|at_ms| CallerLeft { at_ms, how: leave });
        drop(caller);
        Exchange { left, ..recorded(call, sent_ms, clock, outcome) }
    }

    fn prepare(&self, call: &ClientCall) -> Result<(&Client, Request), String> {
        let url =
            url::Url::parse(&call.url).map_err(|error| format!("`{}` is not a URL: {error}", call.url))?;
        let client = match url.scheme() {
            "https" => self
                .secure
                .get_or_init(|| builder().build().map_err(|error| error.to_string()))
                .as_ref()
                .map_err(|reason| format!("TLS cannot be set up: {reason}"))?,
            _ => &self.plain,
        };
        let mut request = Request::new(call.method.clone(), url);
        for (name, value) in &call.headers {
            let name = header::HeaderName::try_from(name.as_str())
                .map_err(|_| format!("`{name}` is not a valid header name"))?;
            let value = header::HeaderValue::try_from(value.as_str())
                .map_err(|_| format!("the value of the header `{name}` cannot be sent"))?;
            request.headers_mut().append(name, value);
        }
        *request.body_mut() = Some(call.body.clone().into());
        Ok((client, request))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only client: everything that hides failures is disabled here"
)]
fn builder() -> ClientBuilder {
    // An error means that a provider is already installed, which is sufficient.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Compression needs no setting: its features are not compiled in.
    Client::builder()
        .retry(reqwest::retry::never())
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(0)
        .http1_only()
}

/// Sends a call on a connection of the caller's own, which can be closed at a chosen point.
async fn visit<'a>(
    call: &ClientCall,
    leave: Leave,
    asked: UpstreamHasRequest<'a>,
    caller: &mut Caller<'a>,
) -> Result<ExchangeOutcome, ResponseEnd> {
    let (socket, request) = connection::open(call, "a caller can leave only", caller.until).await?;
    caller.leaving = Some(Leaving::new(leave, asked, &socket).map_err(|error| ending_of(&error))?);
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(socket)).await.map_err(|error| ending_of(&error))?;
    caller.connect(connection);
    Ok(caller.record(sender.send_request(request)).await)
}

/// The record of a call that has ended now.
fn recorded(call: ClientCall, sent_ms: f64, clock: Clock, outcome: ExchangeOutcome) -> Exchange {
    Exchange {
        step: call.step,
        sent_ms,
        method: call.method.as_str().to_owned(),
        url: call.url,
        request_headers: call.headers,
        request_body: String::from_utf8_lossy(&call.body).into_owned(),
        outcome,
        end_ms: clock.now(),
        left: None,
        to: None,
        together: false,
        mistake: None,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
    };

    use super::*;
    use crate::{observation::StepName, wire::frames::Carrier};

    /// What the server does after it has read the request and sent its text.
    #[derive(Clone, Copy)]
    enum Then {
        Close,
        Reset,
        Hang,
    }

    struct Server {
        url: String,
        accepts: Arc<AtomicUsize>,
    }

    async fn read_request(socket: &mut TcpStream) {
        let mut seen = Vec::new();
        while !seen.ends_with(b"ping") {
            if socket.read_buf(&mut seen).await.unwrap() == 0 {
                return;
            }
        }
    }

    async fn server(text: &'static str, then: Then) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let accepts = Arc::new(AtomicUsize::new(0));
        let count = accepts.clone();
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    read_request(&mut socket).await;
                    socket.write_all(text.as_bytes()).await.unwrap();
                    match then {
                        Then::Close => {}
                        Then::Reset => socket.set_zero_linger().unwrap(),
                        Then::Hang => std::future::pending().await,
                    }
                });
            }
        });
        Server { url, accepts }
    }

    fn call(url: &str) -> ClientCall {
        ClientCall {
            step: StepName::Step(1),
            method: http::Method::POST,
            url: url.into(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: b"ping".to_vec(),
            carrier: None,
        }
    }

    async fn send_within(url: &str, time: Duration) -> Exchange {
        let epoch = Instant::now();
        Driver::new().unwrap().send(call(url), epoch, epoch + time).await
    }

    async fn send(url: &str) -> Exchange {
        send_within(url, Duration::from_secs(20)).await
    }

    fn no_answer(exchange: &Exchange) -> &ResponseEnd {
        match &exchange.outcome {
            ExchangeOutcome::NoAnswer { ending } => ending,
            ExchangeOutcome::Answer(answer) => panic!("an answer: {answer:?}"),
        }
    }

    #[tokio::test]
    async fn a_complete_answer_is_recorded_with_its_headers_in_order() {
        let server = server(
            "HTTP/1.1 429 Too Many\r\nX-B: 1\r\ncontent-length: 2\r\nX-A: 2\r\nx-b: 3\r\nx-c: \u{fc}\r\n\r\nhi",
            Then::Close,
        )
        .await;
        let exchange = send(&server.url).await;
        let answer = exchange.answer().unwrap();
        assert_eq!(
            (answer.status, answer.body.text.as_str(), &answer.ending),
            (429, "hi", &ResponseEnd::Complete)
        );
        let headers: Vec<_> = answer.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            headers,
            [("x-b", "1"), ("x-b", "3"), ("content-length", "2"), ("x-a", "2"), ("x-c", "\u{fc}")]
        );
        assert_eq!(exchange.request_body, "ping");
        assert!(exchange.sent_ms <= answer.head_ms && answer.head_ms <= exchange.end_ms);
    }

    #[tokio::test]
    async fn the_frames_of_a_stream_are_recorded_up_to_the_deadline() {
        let server = server(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n",
            Then::Hang,
        )
        .await;
        let exchange = send_within(&server.url, Duration::from_millis(800)).await;
        let answer = exchange.answer().unwrap();
        assert_eq!(answer.ending, ResponseEnd::Deadline);
        assert_eq!(answer.body.frames.iter().map(|frame| frame.data.as_str()).collect::<Vec<_>>(), ["a"]);
        assert!(answer.body.frames[0].at_ms < exchange.end_ms);
    }

    #[tokio::test]
    async fn a_stream_without_a_content_type_is_decoded_as_the_apis_own_clients_do() {
        let frames = async |head: &'static str, carrier| {
            let server = server(head, Then::Close).await;
            let now = Instant::now();
            let call = ClientCall { carrier, ..call(&server.url) };
            let exchange = Driver::new().unwrap().send(call, now, now + Duration::from_secs(20)).await;
            exchange.answer().unwrap().body.frames.iter().map(|frame| frame.data.clone()).collect::<Vec<_>>()
        };
        let unnamed = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ndata: a\n\n";
        assert_eq!(frames(unnamed, Some(Carrier::Sse)).await, ["a"]);
        assert_eq!(frames(unnamed, Some(Carrier::Ndjson)).await, ["data: a"]);
        assert!(frames(unnamed, None).await.is_empty(), "no stream was asked for");
        let named = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\ndata: a\n\n";
        assert!(frames(named, Some(Carrier::Sse)).await.is_empty(), "its content type is not a stream");
        let failed = "HTTP/1.1 500 No\r\ncontent-length: 9\r\n\r\ndata: a\n\n";
        assert!(frames(failed, Some(Carrier::Sse)).await.is_empty(), "a failure is a body");
    }

    #[tokio::test]
    async fn a_reset_and_a_close_inside_a_body_are_distinguished() {
        for head in ["transfer-encoding: chunked\r\n\r\n5\r\nhel", "content-length: 9\r\n\r\nhel"] {
            let text: &'static str = Box::leak(format!("HTTP/1.1 200 OK\r\n{head}").into_boxed_str());
            for (then, ending) in [(Then::Close, ResponseEnd::Closed), (Then::Reset, ResponseEnd::Reset)] {
                let exchange = send(&server(text, then).await.url).await;
                assert_eq!(exchange.answer().map(|answer| &answer.ending), Some(&ending), "{head:?}");
            }
        }
    }

    #[tokio::test]
    async fn without_a_status_line_only_the_ending_is_recorded() {
        for (then, ending) in [(Then::Close, ResponseEnd::Closed), (Then::Reset, ResponseEnd::Reset)] {
            assert_eq!(no_answer(&send(&server("", then).await.url).await), &ending);
        }
        let hung = send_within(&server("", Then::Hang).await.url, Duration::from_millis(50)).await;
        assert_eq!(no_answer(&hung), &ResponseEnd::Deadline);
    }

    #[tokio::test]
    async fn a_port_without_listener_refuses() {
        // Bound, so that no other program gets the port, but not listening.
        let deaf = tokio::net::TcpSocket::new_v4().unwrap();
        deaf.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let url = format!("http://{}/", deaf.local_addr().unwrap());
        assert_eq!(no_answer(&send(&url).await), &ResponseEnd::Refused);
    }

    #[tokio::test]
    async fn garbage_in_place_of_http_is_broken_with_a_reason() {
        let server = server("\x01\x02 this is not HTTP\r\n\r\n", Then::Close).await;
        insta::assert_snapshot!(no_answer(&send(&server.url).await), @"broken: invalid HTTP version parsed");
    }

    #[tokio::test]
    async fn a_reset_is_not_retried() {
        for text in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel"] {
            let server = server(text, Then::Reset).await;
            send(&server.url).await;
            // A retry would have been made before `send` returned, or would be on its way now.
            tokio::task::yield_now().await;
            assert_eq!(server.accepts.load(Ordering::SeqCst), 1);
        }
    }

    #[tokio::test]
    async fn connections_are_not_reused_and_redirects_not_followed() {
        let server =
            server("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n", Then::Hang)
                .await;
        let driver = Driver::new().unwrap();
        let epoch = Instant::now();
        for accepts in 1..=2 {
            let exchange = driver.send(call(&server.url), epoch, epoch + Duration::from_secs(20)).await;
            assert_eq!(exchange.answer().map(|answer| answer.status), Some(302));
            assert_eq!(server.accepts.load(Ordering::SeqCst), accepts);
        }
    }

    #[tokio::test]
    async fn a_call_that_cannot_be_sent_is_broken_without_a_panic() {
        let mut bad = call("http://127.0.0.1:1/");
        bad.headers.push(("no spaces".into(), "x".into()));
        let epoch = Instant::now();
        let driver = Driver::new().unwrap();
        let exchange = driver.send(bad, epoch, epoch + Duration::from_secs(1)).await;
        insta::assert_snapshot!(no_answer(&exchange), @"broken: `no spaces` is not a valid header name");
        assert!(matches!(no_answer(&send("nonsense").await), ResponseEnd::Broken(_)));
    }
}
