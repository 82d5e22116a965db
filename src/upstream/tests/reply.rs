//! Every fault of a reply, on a raw socket.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{
    super::{Armed, Upstream},
    stage::{arm, chat, count, drain, kind, ok, play, request, send, turn},
};
use crate::{
    observation::{AttemptEnd, Identity},
    scenario::{
        Api, Combination, ErrorName, Fault, MalformedBody, Point, Provider, SuccessReply, Transport,
        TurnReply,
    },
};

#[tokio::test]
async fn without_a_fault_a_stream_is_whole() {
    let (text, end, attempt) = play(ok(vec![]), true).await;
    assert!(end.is_ok());
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("content-type: text/event-stream; charset=utf-8\r\n"), "{text}");
    assert!(text.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{text}");
    assert_eq!(count(&text, "data: "), 8, "role, five pieces, finish, [DONE]");
    assert_eq!((attempt.end, attempt.sent.frames, attempt.sent.status), (AttemptEnd::Finished, 8, Some(200)));
    assert_eq!((attempt.n, attempt.path.as_str()), (1, "/v1/chat/completions"));
    assert!(attempt.headers.contains(&("authorization".into(), "Bearer sk-x".into())));
    assert_eq!(attempt.body, r#"{"model":"m","stream":true}"#);
    assert!(attempt.end_ms.unwrap() >= attempt.at_ms);
}

#[tokio::test]
async fn the_ledger_keeps_the_first_mebibyte_of_a_long_request() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![])]);
    let body = format!(r#"{{"model":"m","padding":"{}"}}"#, "x".repeat(2 << 20));
    let request =
        request("/tok/main/v1/chat/completions", &body).replace("Host:", "Connection: close\r\nHost:");
    let mut socket = send(upstream.address(), &request).await;
    let (text, _) = drain(&mut socket).await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert_eq!(case.attempts()[0].body.len(), 1 << 20);
}

#[tokio::test]
async fn a_reset_is_a_rst_after_exactly_the_events_before_it() {
    let (text, end, attempt) = play(ok(vec![Fault::Reset { at: Point::AfterEvents(3) }]), true).await;
    assert_eq!(kind(&end), Some(io::ErrorKind::ConnectionReset));
    assert_eq!(count(&text, "data: "), 3);
    assert_eq!((attempt.end, attempt.sent.frames), (AttemptEnd::Reset, 3));
}

#[tokio::test]
async fn a_client_that_reads_late_gets_all_bytes_before_a_reset() {
    // 400 KiB are more than a socket accepts in one write, so a part of them waits in the mock's kernel.
    let upstream = Upstream::start().await.unwrap();
    let turns =
        vec![turn(TurnReply::Reply(SuccessReply::Chunks(2000)), vec![Fault::Reset { at: Point::BeforeEnd }])];
    let case = arm(&upstream, "tok", turns);
    let mut socket = send(upstream.address(), &chat(true)).await;
    sleep(Duration::from_millis(50)).await;
    let (text, end) = drain(&mut socket).await;
    assert_eq!(kind(&end), Some(io::ErrorKind::ConnectionReset));
    assert_eq!(count(&text, "data: "), 2002);
    assert_eq!(case.attempts()[0].end, AttemptEnd::Reset);
}

#[tokio::test]
async fn a_reset_before_headers_sends_nothing() {
    for stream in [true, false] {
        let (text, end, attempt) = play(ok(vec![Fault::Reset { at: Point::BeforeHeaders }]), stream).await;
        assert_eq!((text.as_str(), kind(&end)), ("", Some(io::ErrorKind::ConnectionReset)));
        assert_eq!((attempt.end, attempt.sent.status), (AttemptEnd::Reset, None));
    }
}

#[tokio::test]
async fn a_reset_after_the_last_byte_of_a_plain_body_is_still_a_reset() {
    let (text, end, attempt) = play(ok(vec![Fault::Reset { at: Point::AfterBytes(u64::MAX) }]), false).await;
    assert!(text.ends_with('}'), "{text}");
    assert_eq!((kind(&end), attempt.end), (Some(io::ErrorKind::ConnectionReset), AttemptEnd::Reset));
}

#[tokio::test]
async fn a_close_is_a_fin_with_the_chunks_unfinished() {
    let (text, end, attempt) = play(ok(vec![Fault::Close { at: Point::AfterEvents(2) }]), true).await;
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(count(&text, "data: "), 2);
    assert!(text.contains("transfer-encoding: chunked") && !text.contains("0\r\n\r\n"), "{text}");
    assert_eq!(attempt.end, AttemptEnd::Closed);
}

#[tokio::test]
async fn a_close_sends_fewer_bytes_than_the_content_length() {
    let (text, end, attempt) = play(ok(vec![Fault::Close { at: Point::AfterBytes(10) }]), false).await;
    assert!(end.is_ok(), "{end:?}");
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "{\"id\":\"cha");
    let length: usize =
        head.split_once("content-length: ").unwrap().1.split("\r\n").next().unwrap().parse().unwrap();
    assert!(length > 10);
    assert_eq!((attempt.end, attempt.sent.bytes, attempt.sent.frames), (AttemptEnd::Closed, 10, 0));
}

#[tokio::test]
async fn a_truncated_stream_breaks_off_inside_a_frame() {
    let (text, end, attempt) = play(ok(vec![Fault::Truncate { at: Point::AfterEvents(2) }]), true).await;
    assert!(end.is_ok(), "{end:?}");
    assert_eq!(count(&text, "data: "), 3);
    assert!(!text.ends_with("\n\n\r\n"), "{text}");
    assert_eq!((attempt.end, attempt.sent.frames), (AttemptEnd::Closed, 2));
}

#[tokio::test]
async fn a_dropped_terminator_leaves_the_framing_intact() {
    let (text, end, attempt) = play(ok(vec![Fault::DropTerminator]), true).await;
    assert!(end.is_ok());
    assert!(!text.contains("[DONE]") && text.ends_with("\n\n\r\n0\r\n\r\n"), "{text}");
    assert_eq!(attempt.end, AttemptEnd::Finished);
}

#[tokio::test]
async fn an_error_event_ends_the_stream_without_terminator() {
    let fault = Fault::ErrorEvent { error: ErrorName::Internal, at: Point::AfterEvents(2), form: None };
    let (text, end, attempt) = play(ok(vec![fault]), true).await;
    assert!(end.is_ok());
    assert!(text.contains("data: {\"error\":{\"message\":\"The server had an error"), "{text}");
    assert!(text.contains(&attempt.canaries.message));
    assert!(!text.contains("[DONE]") && text.ends_with("0\r\n\r\n"), "{text}");
}

#[tokio::test]
async fn a_malformed_reply_has_the_specified_body() {
    for (malform, body) in [(MalformedBody::Empty, ""), (MalformedBody::Null, "null")] {
        let (text, end, attempt) = play(ok(vec![Fault::Malform(malform)]), true).await;
        assert!(end.is_ok());
        let (head, rest) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(rest, body);
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        assert_eq!(attempt.end, AttemptEnd::Finished);
    }
}

#[tokio::test]
async fn a_hang_stays_open_until_the_client_leaves() {
    let upstream = Upstream::start().await.unwrap();
    for at in [Point::BeforeHeaders, Point::AfterHeaders, Point::AfterEvents(1)] {
        let case = arm(&upstream, "tok", vec![ok(vec![Fault::Hang { at }])]);
        let mut socket = send(upstream.address(), &chat(true)).await;
        let mut seen = String::new();
        let silence = timeout(Duration::from_millis(50), socket.read_to_string(&mut seen)).await;
        assert!(silence.is_err(), "{at}: the connection ended");
        assert_eq!((case.open_attempts(), case.attempts()[0].end), (1, AttemptEnd::Open), "{at}");
        drop(socket);
        timeout(Duration::from_secs(1), async {
            while case.open_attempts() > 0 {
                sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .expect("the mock notices that its client has left");
        assert_eq!(case.attempts()[0].end, AttemptEnd::ClientLeft, "{at}");
    }
}

#[tokio::test]
async fn a_delay_is_at_its_point_and_is_measured() {
    let lasting = Duration::from_millis(40);
    let started = Instant::now();
    let faults = vec![
        Fault::Delay { at: Point::BeforeHeaders, lasting },
        Fault::Stall { at: Point::AfterEvents(1), lasting: Some(lasting) },
    ];
    let (text, _, attempt) = play(ok(faults), true).await;
    // Both waits take place: one of them alone takes forty milliseconds.
    assert!(started.elapsed() >= 2 * lasting);
    assert!(text.ends_with("0\r\n\r\n"));
    assert!(attempt.sent.timer_error_ms >= 0.0);
}

#[tokio::test]
async fn turns_are_used_in_order_the_last_repeats_and_a_healed_case_succeeds() {
    let upstream = Upstream::start().await.unwrap();
    let error = |name| turn(TurnReply::Error(name), vec![]);
    let turns = vec![error(ErrorName::RateLimit), error(ErrorName::Internal), error(ErrorName::Overloaded)];
    let case = arm(&upstream, "tok", turns);
    let mut socket = TcpStream::connect(upstream.address()).await.unwrap();
    let mut statuses = async |n: usize| {
        let mut statuses = Vec::new();
        for _ in 0..n {
            // All requests use one connection, because errors must not cost a proxy its kept-alive
            // connections.
            socket.write_all(chat(false).as_bytes()).await.unwrap();
            let mut text = String::new();
            while !text.ends_with('}') {
                let mut buf = [0; 4096];
                let n = socket.read(&mut buf).await.unwrap();
                assert_ne!(n, 0, "the connection was closed");
                text.push_str(std::str::from_utf8(&buf[..n]).unwrap());
            }
            statuses.push(text[9..12].parse::<u16>().unwrap());
        }
        statuses
    };
    assert_eq!(statuses(4).await, [429, 500, 503, 503]);
    case.heal().unwrap();
    assert_eq!(statuses(1).await, [200]);
    assert_eq!(case.attempts().iter().map(|attempt| attempt.n).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    case.begin(Instant::now());
    assert_eq!(statuses(1).await, [429]);
    assert_eq!(case.attempts().len(), 1);
}

#[tokio::test]
async fn events_of_an_earlier_run_do_not_appear_in_a_later_one() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![Fault::Hang { at: Point::AfterHeaders }])]);
    let mut socket = send(upstream.address(), &chat(true)).await;
    socket.read_u8().await.unwrap();
    assert_eq!(case.open_attempts(), 1);
    case.begin(Instant::now());
    drop(socket);
    sleep(Duration::from_millis(20)).await;
    assert!(case.attempts().is_empty());
}

#[tokio::test]
async fn a_dropped_case_is_unknown_and_its_hung_connections_end() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![Fault::Hang { at: Point::BeforeHeaders }])]);
    let mut socket = send(upstream.address(), &chat(true)).await;
    while case.open_attempts() == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    drop(case);
    assert!(drain(&mut socket).await.1.is_ok());
    let mut socket = send(upstream.address(), &chat(true)).await;
    let mut head = [0; 12];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 404");
}

#[tokio::test]
async fn a_token_cannot_be_armed_twice() {
    let upstream = Upstream::start().await.unwrap();
    let first = arm(&upstream, "tok", vec![]);
    let armed = || Armed {
        providers: indexmap::IndexMap::new(),
        identity: Identity { token: "tok".into() },
        combination: Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false },
        deployments: Arc::default(),
        transport: Transport::Plain,
        account: None,
        seed: 1,
    };
    assert_eq!(upstream.arm(armed()).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
    drop(first);
    assert!(upstream.arm(armed()).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_ends_many_hung_connections_at_once() {
    let upstream = Upstream::start().await.unwrap();
    let address = upstream.address();
    let case = arm(&upstream, "tok", vec![ok(vec![Fault::Hang { at: Point::AfterHeaders }])]);
    let mut sockets = Vec::new();
    for _ in 0..400 {
        sockets.push(send(address, &chat(true)).await);
    }
    timeout(Duration::from_secs(5), async {
        while case.open_attempts() < sockets.len() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let started = Instant::now();
    upstream.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    for socket in &mut sockets {
        assert_ne!(kind(&drain(socket).await.1), Some(io::ErrorKind::TimedOut));
    }
}
