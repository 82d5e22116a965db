//! Replies that cannot be read to their end: what a raw client receives, and where the ledger says that they
//! break.

use std::{io, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::{
    super::{Armed, Upstream},
    stage::{arm, chat, drain, ok, play, request, send},
};
use crate::{
    observation::{Attempt, AttemptEnd, Identity},
    scenario::{
        Api, Combination, ConnectionFault, EventStreamFault, Fault, Http1Fault, Point, Provider, Transport,
    },
};

/// Returns a plain chat response with one HTTP/1.1 fault.
async fn plain(fault: Http1Fault) -> (String, io::Result<()>, Attempt) {
    play(ok(vec![Fault::Http1(fault)]), false).await
}

fn body(text: &str) -> &str {
    text.split_once("\r\n\r\n").expect("there is a head").1
}

#[tokio::test]
async fn the_ledger_contains_the_byte_after_which_nothing_can_be_read() {
    let length = play(ok(vec![]), false).await.2.sent.bytes;
    let faults = [
        (Http1Fault::GarbageStatusLine, Some(0), AttemptEnd::Closed),
        (Http1Fault::ConflictingContentLength, Some(0), AttemptEnd::Finished),
        (Http1Fault::ShortContentLength, Some(length / 2), AttemptEnd::Finished),
        (Http1Fault::LongContentLength, None, AttemptEnd::Closed),
        (Http1Fault::ChunkedNotSent, Some(0), AttemptEnd::Closed),
        (Http1Fault::UnknownTransferEncoding, None, AttemptEnd::Finished),
        (Http1Fault::BadChunkSize { at: Point::AfterBytes(7) }, Some(7), AttemptEnd::Closed),
        (Http1Fault::MissingLastChunk, None, AttemptEnd::Closed),
        (Http1Fault::TrailingBytes, None, AttemptEnd::Finished),
        (Http1Fault::BodyOn204, Some(0), AttemptEnd::Finished),
        (Http1Fault::BodyOn304, Some(0), AttemptEnd::Finished),
        (Http1Fault::Interim(103), None, AttemptEnd::Finished),
        (Http1Fault::UnknownStatus(799), None, AttemptEnd::Finished),
    ];
    // Run all of them concurrently: if the connection stays open, the client reads until nothing arrives for
    // a second.
    let played = join_all(faults.map(|(fault, ..)| plain(fault))).await;
    for ((fault, broken_after, end), (text, _, attempt)) in faults.into_iter().zip(played) {
        assert_eq!((attempt.sent.broken_after, attempt.end), (broken_after, end), "{fault:?}: {text}");
        let garbled = fault == Http1Fault::GarbageStatusLine;
        assert_eq!(attempt.sent.status.is_none(), garbled, "{fault:?}: {text}");
        assert!(text.contains("canary-txt-tok-main-1"), "{fault:?} still sends the body: {text}");
    }
}

#[tokio::test]
async fn lengths_are_wrong_by_a_factor_of_two_and_the_whole_body_is_sent() {
    let whole = play(ok(vec![]), false).await.0;
    let whole = body(&whole).to_owned();
    for (fault, declared) in [
        (Http1Fault::ShortContentLength, vec![whole.len() / 2]),
        (Http1Fault::LongContentLength, vec![whole.len() * 2]),
        (Http1Fault::ConflictingContentLength, vec![whole.len(), whole.len() / 2]),
    ] {
        let (text, _, _) = plain(fault).await;
        let lengths: Vec<usize> = text
            .lines()
            .filter_map(|line| line.strip_prefix("content-length: "))
            .map(|length| length.trim().parse().unwrap())
            .collect();
        assert_eq!((lengths, body(&text)), (declared, &whole[..]), "{fault:?}");
    }
}

#[tokio::test]
async fn a_wrong_checksum_breaks_a_stream_whose_http_is_complete() {
    let upstream = Upstream::start().await.unwrap();
    let fault = Fault::EventStream(EventStreamFault::BadMessageCrc { at: Point::AfterEvents(2) });
    let case = upstream
        .arm(Armed {
            providers: indexmap::IndexMap::new(),
            identity: Identity { token: "tok".into() },
            combination: Combination { api: Api::BedrockConverse, provider: Provider::Bedrock, stream: true },
            deployments: Arc::new([("main".into(), vec![ok(vec![fault])])].into()),
            transport: Transport::Plain,
            account: None,
            seed: 1,
        })
        .unwrap();
    let request =
        request("/tok/main/model/m/converse-stream", "{}").replace("Host:", "Connection: close\r\nHost:");
    let mut socket = send(upstream.address(), &request).await;
    let (text, end) = drain(&mut socket).await;
    assert!(end.is_ok() && text.ends_with("0\r\n\r\n"), "{text}");
    let sent = case.attempts().pop().unwrap().sent;
    let messages = crate::wire::eventstream::decode(&sent.body_bytes());
    assert_eq!(messages.len(), 2);
    assert_eq!(sent.broken_after, Some(messages[1].span.end));
    assert!(sent.bytes > messages[1].span.end);
}

#[tokio::test]
async fn bytes_after_a_reply_are_read_as_the_next_one() {
    for (fault, next) in
        [(Http1Fault::TrailingBytes, "these bytes belong to no reply"), (Http1Fault::BodyOn204, "{\"id\":")]
    {
        let upstream = Upstream::start().await.unwrap();
        let case = arm(&upstream, "tok", vec![ok(vec![Fault::Http1(fault)]), ok(vec![])]);
        let mut socket = send(upstream.address(), &chat(false)).await;
        socket
            .write_all(chat(false).replace("Host:", "Connection: close\r\nHost:").as_bytes())
            .await
            .unwrap();
        let (text, end) = drain(&mut socket).await;
        assert!(end.is_ok(), "{fault:?}");
        // The position at which a client expects the end of the first reply.
        let head = text.split_once("\r\n\r\n").unwrap();
        let length = head.0.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = if head.0.contains(" 204 ") { 0 } else { length.unwrap().parse().unwrap() };
        assert!(head.1[length..].starts_with(next), "{fault:?}: {text}");
        assert!(head.1[length..].contains("HTTP/1.1 200 OK"), "{fault:?}: {text}");
        assert_eq!(case.attempts().len(), 2);
    }
}

#[tokio::test]
async fn a_connection_that_is_closed_when_it_is_reused_answers_once() {
    let upstream = Upstream::start().await.unwrap();
    let fault = Fault::Connection(ConnectionFault::ClosedWhenReused);
    let case = arm(&upstream, "tok", vec![ok(vec![fault])]);
    let mut socket = send(upstream.address(), &chat(false)).await;
    let mut first = vec![0; 64 * 1024];
    let read = timeout(Duration::from_secs(1), socket.read(&mut first)).await.unwrap().unwrap();
    assert!(first[..read].starts_with(b"HTTP/1.1 200 OK"));
    socket.write_all(chat(false).as_bytes()).await.unwrap();
    let (text, _) = drain(&mut socket).await;
    assert!(!text.contains("HTTP/1.1"), "{text}");
    let attempts = case.attempts();
    assert_eq!(attempts.len(), 2, "the ledger contains the request that was not read, too");
    assert!(attempts[0].was_asked() && !attempts[1].was_asked());
    assert_eq!((attempts[0].end, attempts[1].end), (AttemptEnd::Finished, AttemptEnd::Closed));
}

#[tokio::test]
async fn a_connection_that_waits_to_be_closed_ends_after_healing() {
    let upstream = Upstream::start().await.unwrap();
    let fault = Fault::Connection(ConnectionFault::ClosedWhenReused);
    let case = arm(&upstream, "tok", vec![ok(vec![fault])]);
    let mut socket = send(upstream.address(), &chat(false)).await;
    let mut first = vec![0; 64 * 1024];
    let read = timeout(Duration::from_secs(1), socket.read(&mut first)).await.unwrap().unwrap();
    assert!(first[..read].starts_with(b"HTTP/1.1 200 OK"));
    case.heal().unwrap();
    assert_eq!(timeout(Duration::from_secs(1), socket.read(&mut first)).await.unwrap().unwrap(), 0);
    assert_eq!(case.attempts().len(), 1);
}

#[tokio::test]
async fn a_stream_in_packets_of_a_byte_is_the_same_stream() {
    let (text, _, attempt) = play(ok(vec![Fault::Split { bytes: 1 }]), true).await;
    assert!(text.ends_with("\r\n0\r\n\r\n"), "{text}");
    let whole = play(ok(vec![]), true).await.2;
    assert_eq!((attempt.sent.body, attempt.sent.frames), (whole.sent.body, whole.sent.frames));
    let (_, chunks) = text.split_once("\r\n\r\n").unwrap();
    // Each chunk: size, line end, the byte, line end. Then the last chunk.
    assert_eq!(chunks.len(), 6 * whole.sent.bytes as usize + 5);
}

#[tokio::test]
async fn the_record_contains_the_bytes_that_no_client_can_read() {
    for stream in [false, true] {
        let upstream = Upstream::start().await.unwrap();
        let faults = vec![Fault::Http1(Http1Fault::ConflictingContentLength)];
        let case = arm(&upstream, "tok", vec![ok(faults)]);
        let asked = chat(stream).replace("Host:", "Connection: close\r\nHost:");
        let mut socket = send(upstream.address(), &asked).await;
        let (text, _) = drain(&mut socket).await;
        let body = text.split_once("\r\n\r\n").unwrap().1;
        let sent = case.attempts().pop().unwrap().sent;
        assert_eq!((sent.body.as_str(), sent.bytes, sent.broken_after), (body, body.len() as u64, Some(0)));
    }
}
