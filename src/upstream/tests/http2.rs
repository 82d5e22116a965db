//! Faults of HTTP/2, and other faults over HTTP/2, with a plain h2 client.

use std::{io, time::Duration};

use bytes::Bytes;
use h2::{Reason, RecvStream, client::SendRequest};
use http::{HeaderMap, Request, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use super::{
    super::{ArmedCase, Upstream},
    client::{handshake, trusting},
    stage::{arm_over, chat, count, drain, kind, last, ok, settled, turn},
};
use crate::{
    observation::{Attempt, AttemptEnd},
    provider::MAX_REQUEST_BYTES,
    scenario::{
        ConnectionFault, ErrorName, Fault, Http2Code, Http2Fault, Http2Strike, Point, SuccessReply,
        Transport, Turn, TurnReply,
    },
};

fn arm(upstream: &Upstream, turns: Vec<Turn>) -> ArmedCase {
    arm_over(upstream, "tok", turns, Transport::Http2)
}

fn http2(fault: Http2Fault) -> Turn {
    ok(vec![Fault::Http2(fault)])
}

async fn session(upstream: &Upstream, case: &ArmedCase) -> TlsStream<TcpStream> {
    let session = handshake(case.address("main"), trusting(upstream, &[b"h2"])).await.unwrap();
    assert_eq!(session.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    session
}

/// Returns a client, and a task that ends with its connection.
async fn connect(
    upstream: &Upstream,
    case: &ArmedCase,
) -> (SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
    let (send, connection) = h2::client::handshake(session(upstream, case).await).await.unwrap();
    (send.ready().await.unwrap(), tokio::spawn(connection))
}

fn request(case: &ArmedCase) -> Request<()> {
    Request::post(format!("{}/chat/completions", case.base_url("main")))
        .header("authorization", "Bearer sk-x")
        .body(())
        .unwrap()
}

/// The received parts of a response, and the error that ended it.
struct Seen {
    status: Option<StatusCode>,
    headers: HeaderMap,
    text: String,
    error: Option<h2::Error>,
}

/// Sends a request and reads its response to the end.
async fn ask(send: &mut SendRequest<Bytes>, case: &ArmedCase, body: &str) -> Seen {
    let (response, mut out) = send.send_request(request(case), false).unwrap();
    out.send_data(Bytes::copy_from_slice(body.as_bytes()), true).unwrap();
    let mut seen = Seen { status: None, headers: HeaderMap::new(), text: String::new(), error: None };
    match timeout(Duration::from_secs(5), response).await.expect("a response arrives") {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            (seen.status, seen.headers) = (Some(parts.status), parts.headers);
            read(body, &mut seen).await;
        }
        Err(error) => seen.error = Some(error),
    }
    seen
}

async fn read(mut body: RecvStream, seen: &mut Seen) {
    while let Some(data) = timeout(Duration::from_secs(5), body.data()).await.expect("it goes on") {
        match data {
            Ok(data) => {
                body.flow_control().release_capacity(data.len()).unwrap();
                seen.text.push_str(&String::from_utf8_lossy(&data));
            }
            Err(error) => return seen.error = Some(error),
        }
    }
}

const STREAM: &str = r#"{"model":"m","stream":true}"#;

/// Returns the response to one request to a case with this single turn.
async fn play(turn: Turn) -> (Seen, Attempt, Result<(), h2::Error>) {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![turn]);
    let (mut send, connection) = connect(&upstream, &case).await;
    let seen = ask(&mut send, &case, STREAM).await;
    drop(send);
    let end = timeout(Duration::from_secs(5), connection).await.expect("it ends").unwrap();
    settled(&case).await;
    let attempt = case.attempts().pop().unwrap();
    upstream.shutdown().await;
    (seen, attempt, end)
}

#[tokio::test]
async fn a_stream_arrives_whole_and_without_connection_specific_headers() {
    let (seen, attempt, _) = play(ok(vec![])).await;
    assert_eq!((seen.status, count(&seen.text, "data: ")), (Some(StatusCode::OK), 8));
    assert!(seen.text.ends_with("data: [DONE]\n\n") && seen.error.is_none(), "{:?}", seen.error);
    assert!(!seen.headers.contains_key("connection") && !seen.headers.contains_key("transfer-encoding"));
    assert_eq!((attempt.end, attempt.sent.frames, attempt.sent.status), (AttemptEnd::Finished, 8, Some(200)));
    assert_eq!((attempt.method.as_str(), attempt.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(attempt.body, STREAM);
    assert_eq!(attempt.sent.header("transfer-encoding"), None, "HTTP/2 does not have this header");
}

#[tokio::test]
async fn a_plain_response_declares_its_length() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![turn(TurnReply::Error(ErrorName::RateLimit), vec![])]);
    let (mut send, _connection) = connect(&upstream, &case).await;
    let seen = ask(&mut send, &case, "{\"model\":\"m\"}").await;
    assert_eq!(seen.status, Some(StatusCode::TOO_MANY_REQUESTS));
    assert_eq!(seen.headers["content-length"], seen.text.len().to_string());
}

#[tokio::test]
async fn concurrent_streams_of_one_connection_use_one_turn_each() {
    let upstream = Upstream::start().await.unwrap();
    let hang = ok(vec![Fault::Hang { at: Point::AfterEvents(1) }]);
    let case = arm(&upstream, vec![hang, turn(TurnReply::Error(ErrorName::Internal), vec![]), ok(vec![])]);
    let (mut send, _connection) = connect(&upstream, &case).await;
    let (hanging, mut out) = send.send_request(request(&case), false).unwrap();
    out.send_data(STREAM.into(), true).unwrap();
    let mut hanging = hanging.await.unwrap().into_body();
    assert!(hanging.data().await.unwrap().is_ok());
    assert_eq!(ask(&mut send, &case, STREAM).await.status, Some(StatusCode::INTERNAL_SERVER_ERROR));
    assert_eq!(ask(&mut send, &case, STREAM).await.status, Some(StatusCode::OK));
    assert_eq!(case.open_attempts(), 1);
    // Dropping a stream cancels it with RST_STREAM.
    drop((hanging, out));
    settled(&case).await;
    let ends: Vec<_> = case.attempts().iter().map(|attempt| attempt.end).collect();
    assert_eq!(ends, [AttemptEnd::ClientLeft, AttemptEnd::Finished, AttemptEnd::Finished]);
}

#[tokio::test]
async fn each_error_code_ends_a_stream_and_the_connection_stays_open() {
    let upstream = Upstream::start().await.unwrap();
    for &code in Http2Code::ALL {
        for at in [Point::BeforeHeaders, Point::AfterEvents(2)] {
            let strike = Http2Strike { code, at };
            let case = arm(&upstream, vec![http2(Http2Fault::RstStream(strike)), ok(vec![])]);
            let (mut send, _connection) = connect(&upstream, &case).await;
            let seen = ask(&mut send, &case, STREAM).await;
            let what = format!("{} {at}", code.as_str());
            let error = seen.error.unwrap_or_else(|| panic!("{what}: no end"));
            assert!(error.is_reset() && error.is_remote(), "{what}: {error:?}");
            assert_eq!(error.reason(), Some(Reason::from(code.number())), "{what}");
            let events = if at == Point::BeforeHeaders { 0 } else { 2 };
            assert_eq!(count(&seen.text, "data: "), events, "{what}");
            assert_eq!(case.attempts()[0].end, AttemptEnd::StreamReset, "{what}");
            assert_eq!(ask(&mut send, &case, STREAM).await.status, Some(StatusCode::OK), "{what}");
        }
    }
}

#[tokio::test]
async fn each_error_code_ends_a_connection_after_the_sent_bytes() {
    for &code in Http2Code::ALL {
        for at in [Point::BeforeHeaders, Point::AfterEvents(2)] {
            let (seen, attempt, end) = play(http2(Http2Fault::Goaway(Http2Strike { code, at }))).await;
            let what = format!("{} {at}", code.as_str());
            assert!(seen.error.is_some(), "{what}");
            let events = if at == Point::BeforeHeaders { 0 } else { 2 };
            assert_eq!(count(&seen.text, "data: "), events, "{what}");
            assert_eq!(attempt.end, AttemptEnd::GoneAway, "{what}");
            match end {
                // This code means that there is no error: the connection just ends.
                Ok(()) => assert_eq!(code, Http2Code::NoError),
                Err(error) => {
                    assert!(error.is_go_away() && error.is_remote(), "{what}: {error:?}");
                    assert_eq!(error.reason(), Some(Reason::from(code.number())), "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn resets_and_closes_end_the_whole_connection() {
    let (seen, attempt, _) = play(ok(vec![Fault::Reset { at: Point::AfterEvents(3) }])).await;
    assert_eq!(count(&seen.text, "data: "), 3);
    let error = seen.error.unwrap();
    assert_eq!(error.get_io().map(io::Error::kind), Some(io::ErrorKind::ConnectionReset), "{error:?}");
    assert_eq!(attempt.end, AttemptEnd::Reset);

    let (seen, attempt, _) = play(ok(vec![Fault::Close { at: Point::AfterEvents(3) }])).await;
    assert_eq!(count(&seen.text, "data: "), 3);
    let error = seen.error.unwrap();
    assert!(error.is_io() && error.get_io().unwrap().kind() != io::ErrorKind::ConnectionReset, "{error:?}");
    assert_eq!(attempt.end, AttemptEnd::Closed);
}

#[tokio::test]
async fn a_connection_that_is_closed_when_reused_sends_one_response() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![ok(vec![Fault::Connection(ConnectionFault::ClosedWhenReused)])]);
    let (mut send, _connection) = connect(&upstream, &case).await;
    let seen = ask(&mut send, &case, STREAM).await;
    assert!(seen.text.ends_with("data: [DONE]\n\n") && seen.error.is_none());
    let seen = ask(&mut send, &case, STREAM).await;
    assert!(seen.status.is_none() && seen.error.is_some_and(|error| error.is_io()));
    assert_eq!(case.attempts().len(), 1);
}

/// Reads a frame: length, type, flags, stream (RFC 9113 section 4.1).
async fn frame(session: &mut TlsStream<TcpStream>) -> (u8, u8, Vec<u8>) {
    let mut head = [0; 9];
    session.read_exact(&mut head).await.unwrap();
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    session.read_exact(&mut payload).await.unwrap();
    (head[3], head[4], payload)
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
const RST_STREAM: [u8; 13] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];

#[tokio::test]
async fn stalled_settings_are_never_sent() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![http2(Http2Fault::SettingsStall)]);
    for gives_up in [false, true] {
        let mut session = session(&upstream, &case).await;
        session.write_all(&[PREFACE, &SETTINGS].concat()).await.unwrap();
        let silence = timeout(Duration::from_millis(80), session.read_u8()).await;
        assert!(silence.is_err(), "{silence:?}");
        let attempt = case.attempts().pop().unwrap();
        assert_eq!((attempt.was_asked(), attempt.end), (false, AttemptEnd::Open));
        if gives_up {
            // The client may cancel its stream and keep the connection for another one. The mock ends the
            // connection.
            session.write_all(&RST_STREAM).await.unwrap();
            assert_eq!(drain(&mut session).await.0, "");
        }
        drop(session);
        settled(&case).await;
        assert_eq!(case.attempts().pop().unwrap().end, AttemptEnd::ClientLeft);
    }
}

#[tokio::test]
async fn a_window_that_is_never_opened_accepts_65535_bytes_and_no_response_is_sent() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![http2(Http2Fault::FlowControlStall)]);
    let (mut send, _connection) = connect(&upstream, &case).await;
    let (response, mut out) = send.send_request(request(&case), false).unwrap();
    let mut sent = 0;
    let filling = async {
        loop {
            out.reserve_capacity(16_384);
            let room = std::future::poll_fn(|cx| out.poll_capacity(cx)).await.unwrap().unwrap();
            out.send_data(vec![b' '; room].into(), false).unwrap();
            sent += room;
        }
    };
    assert!(timeout(Duration::from_millis(100), filling).await.is_err());
    assert_eq!(sent, 65_535);
    assert!(timeout(Duration::from_millis(50), response).await.is_err());
    let [attempt] = &case.attempts()[..] else { panic!() };
    assert_eq!((attempt.was_asked(), attempt.end), (false, AttemptEnd::Open));
    out.send_reset(Reason::CANCEL);
    settled(&case).await;
    assert_eq!(case.attempts()[0].end, AttemptEnd::ClientLeft);
    case.heal().unwrap();
    let (mut send, _connection) = connect(&upstream, &case).await;
    assert_eq!(ask(&mut send, &case, STREAM).await.status, Some(StatusCode::OK));
}

#[tokio::test]
async fn the_settings_do_not_change_a_window_that_is_never_opened() {
    const WINDOW_UPDATE: u8 = 8;
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![http2(Http2Fault::FlowControlStall)]);
    let mut session = session(&upstream, &case).await;
    session.write_all(&[PREFACE, &SETTINGS].concat()).await.unwrap();
    let (kind, _, payload) = frame(&mut session).await;
    assert_eq!(kind, 4, "SETTINGS come first");
    // SETTINGS_INITIAL_WINDOW_SIZE has the number 4. A setting has two bytes of number and four bytes of
    // value.
    assert!(payload.chunks(6).all(|pair| pair[..2] != [0, 4]), "{payload:?}");
    let mut others = Vec::new();
    while let Ok((kind, ..)) = timeout(Duration::from_millis(80), frame(&mut session)).await {
        others.push(kind);
    }
    assert!(!others.contains(&WINDOW_UPDATE), "{others:?}");
}

#[tokio::test]
async fn requests_and_responses_larger_than_the_windows_are_sent() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![turn(TurnReply::Reply(SuccessReply::Chunks(5000)), vec![])]);
    let (mut send, _connection) = connect(&upstream, &case).await;
    for (size, status) in [(3 << 20, 200), (MAX_REQUEST_BYTES + 1, 413)] {
        let (response, mut out) = send.send_request(request(&case), false).unwrap();
        let body = format!("{{\"model\":\"m\",\"stream\":true,\"padding\":\"{}\"}}", "x".repeat(size));
        let mut left = Bytes::from(body);
        while !left.is_empty() {
            out.reserve_capacity(left.len());
            let room = std::future::poll_fn(|cx| out.poll_capacity(cx)).await.unwrap().unwrap();
            let now = left.split_to(room.min(left.len()));
            out.send_data(now, left.is_empty()).unwrap();
        }
        let response = response.await.unwrap();
        assert_eq!(response.status(), status);
        let mut seen = Seen { status: None, headers: HeaderMap::new(), text: String::new(), error: None };
        read(response.into_body(), &mut seen).await;
        assert!(seen.error.is_none());
        assert!(status == 413 || count(&seen.text, "data: ") > 5000);
    }
}

#[tokio::test]
async fn a_client_that_does_not_offer_http2_gets_http1() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![ok(vec![])]);
    for offer in [&[][..], &[&b"http/1.1"[..]]] {
        let mut session = handshake(case.address("main"), trusting(&upstream, offer)).await.unwrap();
        session.write_all(last(&chat(false)).as_bytes()).await.unwrap();
        let (text, end) = drain(&mut session).await;
        assert!(text.starts_with("HTTP/1.1 200") && kind(&end).is_none(), "{text}");
    }
}

#[tokio::test]
async fn invalid_frames_do_not_affect_other_connections() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![ok(vec![])]);
    let oversized = [PREFACE, &[0xff; 64]].concat();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], PREFACE, &oversized, b"\0\0\0"] {
        let mut session = session(&upstream, &case).await;
        session.write_all(garbage).await.unwrap();
        session.shutdown().await.unwrap();
        assert_ne!(kind(&drain(&mut session).await.1), Some(io::ErrorKind::TimedOut), "{garbage:?}");
    }
    let (mut send, _connection) = connect(&upstream, &case).await;
    assert_eq!(ask(&mut send, &case, "{not json").await.status, Some(StatusCode::BAD_REQUEST));
    assert_eq!(ask(&mut send, &case, STREAM).await.status, Some(StatusCode::OK));
}

#[tokio::test]
async fn a_deployment_whose_connections_claim_turns_accepts_one_request_on_each() {
    let upstream = Upstream::start().await.unwrap();
    let slow = Duration::from_millis(20);
    let case = arm(&upstream, vec![ok(vec![Fault::Connection(ConnectionFault::SlowAccept(slow))])]);
    let (mut send, connection) = connect(&upstream, &case).await;
    let seen = ask(&mut send, &case, STREAM).await;
    assert!(seen.text.ends_with("data: [DONE]\n\n") && seen.error.is_none());
    // A GOAWAY without an error says that the connection accepts no more requests.
    assert!(timeout(Duration::from_secs(5), connection).await.expect("it ends").unwrap().is_ok());
    let attempt = case.attempts().pop().unwrap();
    assert!(attempt.was_asked() && attempt.end_ms.unwrap() - attempt.at_ms >= 20.0);
}
