//! HTTP/1 itself: how requests may arrive, and the form of the replies.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{
    super::Upstream,
    stage::{arm, chat, count, drain, kind, last, ok, request, send},
};
use crate::observation::{AttemptEnd, StrayKind};

const PATH: &str = "/tok/main/v1/chat/completions";
const BODY: &str = r#"{"model":"m","stream":true}"#;

/// A request with these header lines in place of a length.
fn with(version: &str, headers: &[&str], body: &str) -> String {
    let lines = headers.join("\r\n");
    format!("POST {PATH} HTTP/{version}\r\nhost: h\r\nauthorization: Bearer sk-x\r\n{lines}\r\n\r\n{body}")
}

/// The body in chunks, with an extension and a trailer.
fn chunked() -> String {
    let (first, second) = BODY.split_at(5);
    format!("5;a=b\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\nx-t: 1\r\n\r\n", second.len())
}

#[tokio::test]
async fn requests_that_arrive_together_are_answered_in_order() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let both = chat(true) + &last(&chat(false));
    let (text, end) = drain(&mut send(upstream.address(), &both).await).await;
    assert!(end.is_ok());
    assert_eq!(count(&text, "HTTP/1.1 200 OK\r\n"), 2, "{text}");
    assert!(text.find("data: [DONE]") < text.rfind("content-length: "), "{text}");
    assert_eq!(case.attempts().len(), 2);
}

#[tokio::test]
async fn a_request_may_arrive_byte_by_byte_and_in_chunks() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let whole = with("1.1", &["Transfer-Encoding: chunked", "connection: close"], &chunked());
    let mut socket = TcpStream::connect(upstream.address()).await.unwrap();
    socket.set_nodelay(true).unwrap();
    for byte in whole.as_bytes() {
        socket.write_all(&[*byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    let (text, _) = drain(&mut socket).await;
    assert!(text.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{text}");
    let attempt = case.attempts().remove(0);
    assert_eq!((attempt.body.as_str(), attempt.end), (BODY, AttemptEnd::Finished));
}

#[tokio::test]
async fn a_client_that_awaits_a_100_gets_it() {
    let upstream = Upstream::start().await.unwrap();
    let _case = arm(&upstream, "tok", vec![ok(vec![])]);
    let length = format!("content-length: {}", BODY.len());
    let head = with("1.1", &["Expect: 100-continue", &length, "connection: close"], "");
    let mut socket = send(upstream.address(), &head).await;
    let mut interim = [0; 25];
    socket.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(BODY.as_bytes()).await.unwrap();
    assert!(drain(&mut socket).await.0.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn an_ambiguous_request_gets_a_400_and_is_not_an_attempt() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let chunks = "transfer-encoding: chunked";
    for request in [
        with("1.1", &[chunks, "content-length: 5"], &chunked()),
        with("1.1", &["content-length: 5", "content-length: 6"], BODY),
        with("1.0", &[chunks], &chunked()),
        with("1.1", &[chunks], "zz\r\n"),
        with("1.1", &[chunks], "2\r\nabc\r\n0\r\n\r\n"),
    ] {
        let (text, end) = drain(&mut send(upstream.address(), &request).await).await;
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"), "{request}: {text}");
        assert!(end.is_ok(), "{request}: {end:?}");
    }
    assert_eq!((case.attempts().len(), case.not_kept()), (0, 0));
    assert!(upstream.strays().iter().all(|stray| stray.what == StrayKind::Garbage));
    assert_eq!(upstream.strays().len(), 5);
}

#[tokio::test]
async fn a_client_of_http_1_0_gets_a_stream_that_ends_with_the_connection() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let length = format!("content-length: {}", BODY.len());
    let request = with("1.0", &[&length, "connection: keep-alive"], BODY);
    let (text, end) = drain(&mut send(upstream.address(), &request).await).await;
    assert!(end.is_ok());
    assert!(text.starts_with("HTTP/1.0 200 OK\r\n") && text.ends_with("data: [DONE]\n\n"), "{text}");
    assert!(!text.contains("transfer-encoding"), "{text}");
    assert_eq!(case.attempts()[0].end, AttemptEnd::Finished);
}

#[tokio::test]
async fn the_response_to_head_has_no_body() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let request = request(PATH, "").replace("POST", "HEAD") + &last(&chat(false));
    let (text, _) = drain(&mut send(upstream.address(), &request).await).await;
    let (head, rest) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 405 ") && head.contains("\r\ncontent-length: "), "{text}");
    assert!(rest.starts_with("HTTP/1.1 200 OK"), "{text}");
    assert_eq!(case.attempts()[0].end, AttemptEnd::Finished);
}

#[tokio::test]
async fn what_is_due_at_once_arrives_in_one_read() {
    let upstream = Upstream::start().await.unwrap();
    let _case = arm(&upstream, "tok", vec![ok(vec![])]);
    let mut socket = send(upstream.address(), &chat(true)).await;
    let mut bytes = vec![0; 64 * 1024];
    let read = timeout(Duration::from_secs(5), socket.read(&mut bytes)).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&bytes[..read]);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("0\r\n\r\n"), "{text}");
    // The connection stays open for the next request.
    socket.write_all(last(&chat(false)).as_bytes()).await.unwrap();
    let (text, end) = drain(&mut socket).await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && kind(&end).is_none(), "{text}");
}
