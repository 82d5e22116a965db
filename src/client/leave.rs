//! A caller that disconnects early: one request on its own socket, which the scenario can close in one or both
//! directions at any point.

use std::{net::Shutdown, pin::Pin, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::http1::{self, Connection},
    header,
};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, Socket};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    body::BodyRecorder,
    call::ClientCall,
    driver::{Clock, Driver, MAX_BYTES},
    ending::ending_of,
};
use crate::{
    observation::{CallerLeft, Exchange, ExchangeOutcome, Response, ResponseEnd},
    scenario::{Leave, LeaveBy, LeavePoint},
    wire::frames::Carrier,
};

/// The time for which a caller continues to read after a half-close.
const AFTER_HALF_CLOSE: Duration = Duration::from_secs(2);

/// Resolves when an upstream has received the request.
pub(super) type UpstreamHasRequest<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Driver {
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
        let (outcome, left) = match prepare(&call, "a caller can leave only") {
            Err(reason) => (ExchangeOutcome::NoAnswer { ending: ResponseEnd::Broken(reason) }, None),
            Ok((host, request)) => match timeout_at(deadline, TcpStream::connect(host)).await {
                Ok(Ok(socket)) => visit(socket, request, call.carrier, leave, asked, clock, deadline).await,
                Ok(Err(error)) => (ExchangeOutcome::NoAnswer { ending: ending_of(&error) }, None),
                Err(_) => (ExchangeOutcome::NoAnswer { ending: ResponseEnd::Deadline }, None),
            },
        };
        Exchange {
            step: call.step,
            sent_ms,
            method: call.method.as_str().to_owned(),
            url: call.url,
            request_headers: call.headers,
            request_body: String::from_utf8_lossy(&call.body).into_owned(),
            outcome,
            end_ms: clock.now(),
            left: left.map(|at_ms| CallerLeft { at_ms, how: leave }),
            to: None,
            together: false,
            mistake: None,
        }
    }
}

pub(super) type LeavingRequest = http::Request<Full<Bytes>>;

/// Returns the host and port to connect to, and the request to send.
pub(super) fn prepare(call: &ClientCall, what: &str) -> Result<((String, u16), LeavingRequest), String> {
    let url = url::Url::parse(&call.url).map_err(|error| format!("`{}` is not a URL: {error}", call.url))?;
    let host = url.host_str().filter(|_| url.scheme() == "http");
    let (Some(host), Some(port)) = (host, url.port_or_known_default()) else {
        return Err(format!("{what} over plain HTTP, but `{}` has a different scheme", call.url));
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let mut request = http::Request::builder()
        .method(call.method.clone())
        .uri(target)
        .header(header::HOST, &url[url::Position::BeforeHost..url::Position::AfterPort]);
    for (name, value) in &call.headers {
        request = request.header(name, value);
    }
    if !call.headers.iter().any(|(name, _)| name == "accept") {
        request = request.header(header::ACCEPT, "*/*");
    }
    let request = request.body(Full::new(call.body.clone().into()));
    request
        .map(|request| ((host, port), request))
        .map_err(|error| format!("the request cannot be sent: {error}"))
}

/// Sends one request and records the response until the caller disconnects; returns the time at which it did.
async fn visit(
    socket: TcpStream,
    request: LeavingRequest,
    carrier: Option<Carrier>,
    leave: Leave,
    asked: UpstreamHasRequest<'_>,
    clock: Clock,
    deadline: Instant,
) -> (ExchangeOutcome, Option<f64>) {
    let _ = socket.set_nodelay(true);
    // A second handle of the socket, because the HTTP stack owns the first.
    let door = match SockRef::from(&socket).try_clone() {
        Ok(door) => door,
        Err(error) => return (ExchangeOutcome::NoAnswer { ending: ending_of(&error) }, None),
    };
    let (mut sender, connection) = match http1::handshake(TokioIo::new(socket)).await {
        Ok(both) => both,
        Err(error) => return (ExchangeOutcome::NoAnswer { ending: ending_of(&error) }, None),
    };
    let mut caller = Caller {
        connection: Box::pin(connection),
        connected: true,
        door,
        carrier,
        leave,
        asked,
        clock,
        until: deadline,
        left: None,
    };
    let outcome = match caller.wait(sender.send_request(request)).await {
        Ok(Ok(response)) => ExchangeOutcome::Answer(caller.read(response).await),
        Ok(Err(error)) => ExchangeOutcome::NoAnswer { ending: ending_of(&error) },
        Err(ending) => ExchangeOutcome::NoAnswer { ending },
    };
    (outcome, caller.left)
}

/// A caller with its connection, which closes when the caller is dropped.
struct Caller<'a> {
    connection: Pin<Box<Connection<TokioIo<TcpStream>, Full<Bytes>>>>,
    /// Whether the connection still needs to be polled.
    connected: bool,
    door: Socket,
    /// The stream format of a response without a Content-Type.
    carrier: Option<Carrier>,
    leave: Leave,
    asked: UpstreamHasRequest<'a>,
    clock: Clock,
    /// The time at which it stops waiting.
    until: Instant,
    /// The time at which it disconnected, in milliseconds since the epoch of the case.
    left: Option<f64>,
}

impl Caller<'_> {
    /// Waits for `what` and polls the connection meanwhile; returns the ending as an error if it comes first.
    async fn wait<T>(&mut self, what: impl Future<Output = T>) -> Result<T, ResponseEnd> {
        let mut what = std::pin::pin!(what);
        loop {
            tokio::select! {
                biased;
                got = &mut what => return Ok(got),
                () = &mut self.asked, if self.leaves_at(LeavePoint::BeforeHeaders) => {
                    if self.go() {
                        return Err(ResponseEnd::Left);
                    }
                }
                () = sleep_until(self.until) => {
                    return Err(if self.left.is_some() { ResponseEnd::Left } else { ResponseEnd::Deadline });
                }
                _ = &mut self.connection, if self.connected => self.connected = false,
            }
        }
    }

    fn leaves_at(&self, point: LeavePoint) -> bool {
        self.left.is_none() && self.leave.at == point
    }

    /// Disconnects; returns `true` if the caller reads nothing after it.
    fn go(&mut self) -> bool {
        self.left = Some(self.clock.now());
        match self.leave.by {
            LeaveBy::Close => true,
            LeaveBy::HalfClose => {
                self.until = self.until.min(Instant::now() + AFTER_HALF_CLOSE);
                // This fails only if the other side has ended the connection, which the next read reports.
                let _ = self.door.shutdown(Shutdown::Write);
                false
            }
        }
    }

    async fn read(&mut self, response: http::Response<Incoming>) -> Response {
        let (head, mut body) = response.into_parts();
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes())));
        let mut answer = Response {
            status: head.status.as_u16(),
            headers: headers.collect(),
            head_ms: self.clock.now(),
            body: Default::default(),
            ending: ResponseEnd::Complete,
            closed: None,
        };
        let mut recorder = BodyRecorder::new(answer.carrier_or(self.carrier));
        answer.ending = if self.leaves_at(LeavePoint::AfterHeaders) && self.go() {
            ResponseEnd::Left
        } else {
            self.read_body(&mut body, &mut recorder).await
        };
        answer.body = recorder.finish();
        if let (ResponseEnd::Left, Leave { at: LeavePoint::AfterEvents(n), by: LeaveBy::Close }) =
            (&answer.ending, self.leave)
        {
            // The caller does not read further events that arrived in one piece with the last one that it waited for.
            answer.body.frames.truncate(n as usize);
        }
        answer
    }

    async fn read_body(&mut self, body: &mut Incoming, recorder: &mut BodyRecorder) -> ResponseEnd {
        loop {
            let frame = match self.wait(body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return ending_of(&error),
                Ok(None) => return ResponseEnd::Complete,
                Err(ending) => return ending,
            };
            let Some(bytes) = frame.data_ref() else { continue };
            recorder.take(bytes, self.clock.now());
            if recorder.bytes() > MAX_BYTES {
                return ResponseEnd::Broken("the body is longer than 64 MiB".into());
            }
            if let LeavePoint::AfterEvents(n) = self.leave.at
                && self.left.is_none()
                && recorder.frames() >= n as usize
                && self.go()
            {
                return ResponseEnd::Left;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        sync::oneshot,
    };

    use super::*;
    use crate::observation::StepName;

    const HEAD: &str =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    const EVENT: &str = "9\r\ndata: a\n\n\r\n";
    const END: &str = "0\r\n\r\n";

    struct Server {
        url: String,
        /// Resolves when the server has read the request.
        asked: oneshot::Receiver<()>,
        /// Resolves to the request after the caller's FIN has arrived.
        request: oneshot::Receiver<String>,
    }

    impl Server {
        async fn leave(self, at: LeavePoint, by: LeaveBy) -> (Exchange, oneshot::Receiver<String>) {
            let asked = self.asked;
            let asked = Box::pin(async move { asked.await.expect("the request was read") });
            (leave(&self.url, asked, at, by).await, self.request)
        }
    }

    /// A server that reads the request, sends `first`, waits for the caller's FIN, and sends `then`.
    async fn server(first: String, then: Option<&'static str>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/x?y=1", listener.local_addr().unwrap());
        let (read_all, asked) = oneshot::channel();
        let (seen, request) = oneshot::channel();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut read = Vec::new();
            while !read.ends_with(b"ping") {
                assert!(socket.read_buf(&mut read).await.unwrap() > 0, "the whole request comes");
            }
            let _ = read_all.send(());
            socket.write_all(first.as_bytes()).await.unwrap();
            while socket.read_buf(&mut read).await.is_ok_and(|n| n > 0) {}
            seen.send(String::from_utf8(read).unwrap()).unwrap();
            if let Some(then) = then {
                socket.write_all(then.as_bytes()).await.unwrap();
            }
        });
        Server { url, asked, request }
    }

    async fn leave(url: &str, asked: UpstreamHasRequest<'_>, at: LeavePoint, by: LeaveBy) -> Exchange {
        let call = ClientCall {
            step: StepName::Step(1),
            method: http::Method::POST,
            url: url.to_owned(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: b"ping".to_vec(),
            carrier: None,
        };
        let epoch = Instant::now();
        let driver = Driver::new().unwrap();
        driver.send_and_leave(call, Leave { at, by }, asked, epoch, epoch + Duration::from_secs(20)).await
    }

    fn frames(exchange: &Exchange) -> usize {
        exchange.answer().map_or(0, |answer| answer.body.frames.len())
    }

    #[tokio::test]
    async fn a_caller_that_leaves_before_the_headers_records_no_response() {
        let server = server(String::new(), None).await;
        let (exchange, request) = server.leave(LeavePoint::BeforeHeaders, LeaveBy::Close).await;
        assert_eq!(exchange.outcome, ExchangeOutcome::NoAnswer { ending: ResponseEnd::Left });
        let left = exchange.abandoned().expect("it left");
        assert!(exchange.sent_ms <= left.at_ms && left.at_ms <= exchange.end_ms);
        let request = request.await.unwrap();
        assert!(request.starts_with("POST /x?y=1 HTTP/1.1\r\n") && request.contains("content-length: 4"));
    }

    #[tokio::test]
    async fn a_caller_that_leaves_later_records_what_arrived_before() {
        for (at, first, events) in [
            (LeavePoint::AfterHeaders, HEAD.to_owned(), 0),
            (LeavePoint::AfterEvents(2), format!("{HEAD}{EVENT}{EVENT}"), 2),
        ] {
            let (exchange, request) = server(first, None).await.leave(at, LeaveBy::Close).await;
            assert_eq!(exchange.answer().map(|answer| &answer.ending), Some(&ResponseEnd::Left));
            assert_eq!(frames(&exchange), events);
            request.await.expect("the server saw the connection end");
        }
    }

    #[tokio::test]
    async fn a_caller_that_half_closes_continues_to_read() {
        let (exchange, _request) = server(format!("{HEAD}{EVENT}"), Some("9\r\ndata: b\n\n\r\n0\r\n\r\n"))
            .await
            .leave(LeavePoint::AfterEvents(1), LeaveBy::HalfClose)
            .await;
        assert_eq!(exchange.answer().map(|answer| &answer.ending), Some(&ResponseEnd::Complete));
        assert_eq!(frames(&exchange), 2);
        assert!(exchange.left.is_some() && exchange.abandoned().is_none(), "it was answered to the end");

        let (exchange, _request) = server(format!("{HEAD}{EVENT}"), None)
            .await
            .leave(LeavePoint::AfterEvents(1), LeaveBy::HalfClose)
            .await;
        assert_eq!(exchange.answer().map(|answer| &answer.ending), Some(&ResponseEnd::Closed));
        assert!(exchange.abandoned().is_some());
    }

    #[tokio::test]
    async fn a_response_that_is_complete_first_is_like_any_other() {
        let (exchange, _request) = server(format!("{HEAD}{EVENT}{END}"), None)
            .await
            .leave(LeavePoint::AfterEvents(2), LeaveBy::Close)
            .await;
        assert_eq!(exchange.answer().map(|answer| &answer.ending), Some(&ResponseEnd::Complete));
        assert_eq!(exchange.left, None);
    }

    #[tokio::test]
    async fn leaving_over_tls_is_refused() {
        let exchange = leave(
            "https://127.0.0.1:1/",
            Box::pin(std::future::pending()),
            LeavePoint::BeforeHeaders,
            LeaveBy::Close,
        )
        .await;
        let ExchangeOutcome::NoAnswer { ending } = exchange.outcome else { panic!("an answer") };
        insta::assert_snapshot!(ending, @"broken: a caller can leave only over plain HTTP, but `https://127.0.0.1:1/` has a different scheme");
    }
}
