//! A caller that disconnects early: its own socket, which the scenario can close in one or both directions at any
//! point.

use std::{io, net::Shutdown, pin::Pin, time::Duration};

use socket2::{SockRef, Socket};
use tokio::{net::TcpStream, time::Instant};

use crate::{
    observation::ReceivedFrame,
    scenario::{Leave, LeaveBy, LeavePoint},
};

/// The time for which a caller continues to read after a half-close.
const AFTER_HALF_CLOSE: Duration = Duration::from_secs(2);

/// Resolves when an upstream has received the request.
pub(super) type UpstreamHasRequest<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// When and how a caller disconnects.
pub(super) struct Leaving<'a> {
    pub(super) leave: Leave,
    pub(super) asked: UpstreamHasRequest<'a>,
    /// A second handle of the socket, because the HTTP stack owns the first.
    door: Socket,
    /// The time at which the caller disconnected, in milliseconds since the epoch of the case.
    pub(super) left: Option<f64>,
}

impl<'a> Leaving<'a> {
    pub(super) fn new(leave: Leave, asked: UpstreamHasRequest<'a>, socket: &TcpStream) -> io::Result<Self> {
        Ok(Self { leave, asked, door: SockRef::from(socket).try_clone()?, left: None })
    }

    /// Whether the caller disconnects after this number of events, and has not yet.
    pub(super) fn has_enough(&self, events: usize) -> bool {
        let LeavePoint::AfterEvents(n) = self.leave.at else { return false };
        self.left.is_none() && events >= n as usize
    }

    /// Disconnects; returns `true` if the caller reads nothing after it, and otherwise shortens its wait.
    pub(super) fn disconnect(&mut self, until: &mut Instant) -> bool {
        match self.leave.by {
            LeaveBy::Close => true,
            LeaveBy::HalfClose => {
                *until = (*until).min(Instant::now() + AFTER_HALF_CLOSE);
                // This fails only if the other side has ended the connection, which the next read reports.
                let _ = self.door.shutdown(Shutdown::Write);
                false
            }
        }
    }

    /// Removes events that arrived in one piece with the last one that the caller waited for: it does not read them.
    pub(super) fn forget_unread(&self, events: &mut Vec<ReceivedFrame>) {
        if let Leave { at: LeavePoint::AfterEvents(n), by: LeaveBy::Close } = self.leave {
            events.truncate(n as usize);
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
    use crate::{
        client::{ClientCall, Driver},
        observation::{Exchange, ExchangeOutcome, ResponseEnd, StepName},
    };

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
