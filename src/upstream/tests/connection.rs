//! Faults of connections, each on a raw socket.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    super::{ArmedCase, Upstream},
    stage::{arm, chat, drain, kind, last, ok, send, settled},
};
use crate::{
    observation::{Attempt, AttemptEnd},
    scenario::{ConnectionFault, Fault, Point, Turn},
};

fn connection(fault: ConnectionFault) -> Turn {
    ok(vec![Fault::Connection(fault)])
}

/// The only attempt, on which no request was read.
#[track_caller]
fn unasked(case: &ArmedCase, turn: &Turn) -> Attempt {
    let attempts = case.attempts();
    let [attempt] = &attempts[..] else { panic!("{attempts:#?}") };
    assert!(!attempt.was_asked());
    assert_eq!((attempt.n, attempt.path.as_str(), attempt.body.as_str()), (1, "", ""));
    assert_eq!((attempt.turn.as_ref(), attempt.sent.status), (Some(turn), None));
    attempt.clone()
}

/// The status that a request on a connection of its own gets, and how the connection ends.
async fn knock(address: SocketAddr) -> (String, Option<io::ErrorKind>) {
    // A RST may be there before the connection is known to be, or the request is on its way.
    let reset = |error: io::Error| (String::new(), Some(error.kind()));
    let mut socket = match TcpStream::connect(address).await {
        Ok(socket) => socket,
        Err(error) => return reset(error),
    };
    match socket.write_all(last(&chat(false)).as_bytes()).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return reset(error),
        // A FIN is for the reader to see.
        _ => {}
    }
    let (text, end) = drain(&mut socket).await;
    (text.get(9..12).unwrap_or_default().to_owned(), kind(&end))
}

#[tokio::test]
async fn a_deployment_without_such_a_fault_has_no_port_of_its_own() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![Fault::Reset { at: Point::BeforeHeaders }])]);
    assert_eq!(case.address("main"), upstream.address());
}

#[tokio::test]
async fn a_silent_connection_is_neither_read_nor_written_until_the_client_leaves() {
    let upstream = Upstream::start().await.unwrap();
    let turn = connection(ConnectionFault::AcceptedSilent);
    let case = arm(&upstream, "tok", vec![turn.clone()]);
    let mut socket = send(case.address("main"), &chat(false)).await;
    let silence = timeout(Duration::from_millis(50), socket.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert_eq!(unasked(&case, &turn).end, AttemptEnd::Open);
    drop(socket);
    settled(&case).await;
    assert_eq!(unasked(&case, &turn).end, AttemptEnd::ClientLeft);
}

#[tokio::test]
async fn who_is_not_read_from_can_be_sent_no_more_than_the_kernels_hold() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![connection(ConnectionFault::AcceptedSilent)]);
    let mut socket = TcpStream::connect(case.address("main")).await.unwrap();
    let filling = vec![b' '; 1 << 20];
    let sent = async {
        let mut sent = 0;
        while sent < 256 << 20 {
            let write = timeout(Duration::from_secs(1), socket.write(&filling)).await;
            let Ok(n) = write else { return sent };
            sent += n.unwrap();
        }
        sent
    };
    assert!(sent.await < 256 << 20, "256 MiB were read");
}

#[tokio::test]
async fn a_silent_connection_is_open_when_its_case_is_over() {
    let upstream = Upstream::start().await.unwrap();
    let turn = connection(ConnectionFault::AcceptedSilent);
    let case = arm(&upstream, "tok", vec![turn.clone()]);
    let mut socket = send(case.address("main"), &chat(false)).await;
    while case.attempts().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(unasked(&case, &turn).end, AttemptEnd::Open);
    drop(case);
    assert_eq!(drain(&mut socket).await.0, "");
}

#[tokio::test]
async fn a_connection_that_is_closed_at_once_gets_a_fin_even_where_it_sends_a_request() {
    let upstream = Upstream::start().await.unwrap();
    let turn = connection(ConnectionFault::AcceptedClosed);
    for request in ["", &chat(false)] {
        let case = arm(&upstream, "tok", vec![turn.clone()]);
        let mut socket = TcpStream::connect(case.address("main")).await.unwrap();
        // The mock may have ended it before the request was on its way.
        let _ = socket.write_all(request.as_bytes()).await;
        let (text, end) = drain(&mut socket).await;
        assert_eq!((text.as_str(), kind(&end)), ("", None));
        assert_eq!(unasked(&case, &turn).end, AttemptEnd::Closed);
    }
}

#[tokio::test]
async fn a_connection_that_is_reset_at_once_gets_a_rst() {
    let upstream = Upstream::start().await.unwrap();
    let turn = connection(ConnectionFault::ResetAtOnce);
    let case = arm(&upstream, "tok", vec![turn.clone()]);
    let mut socket = TcpStream::connect(case.address("main")).await.unwrap();
    let (text, end) = drain(&mut socket).await;
    assert_eq!((text.as_str(), kind(&end)), ("", Some(io::ErrorKind::ConnectionReset)));
    assert_eq!(unasked(&case, &turn).end, AttemptEnd::Reset);
}

#[tokio::test]
async fn a_slow_accept_reads_late_and_answers_well_by_the_same_turn() {
    let upstream = Upstream::start().await.unwrap();
    let time = Duration::from_millis(80);
    let turn = connection(ConnectionFault::SlowAccept(time));
    let case = arm(&upstream, "tok", vec![turn.clone()]);
    for n in 1..=2 {
        let began = Instant::now();
        let mut socket = send(case.address("main"), &chat(false)).await;
        let (text, end) = drain(&mut socket).await;
        assert!(text.starts_with("HTTP/1.1 200") && end.is_ok(), "{text}");
        // It says that the connection is over, so that the next request comes late too.
        assert!(text.contains("connection: close\r\n"), "{text}");
        assert!(began.elapsed() >= time);
        let attempt = case.attempts().pop().unwrap();
        assert_eq!((attempt.n, attempt.method.as_str()), (n, "POST"));
        assert_eq!((attempt.end, attempt.turn.as_ref()), (AttemptEnd::Finished, Some(&turn)));
        assert!(attempt.end_ms.unwrap() - attempt.at_ms >= 80.0);
    }
    assert_eq!(case.attempts().len(), 2);
}

#[tokio::test]
async fn who_leaves_before_a_slow_accept_reads_leaves_an_attempt_without_a_request() {
    let upstream = Upstream::start().await.unwrap();
    let turn = connection(ConnectionFault::SlowAccept(Duration::from_secs(3600)));
    let case = arm(&upstream, "tok", vec![turn.clone()]);
    let socket = send(case.address("main"), &chat(false)).await;
    while case.attempts().is_empty() {
        tokio::task::yield_now().await;
    }
    drop(socket);
    settled(&case).await;
    assert_eq!(unasked(&case, &turn).end, AttemptEnd::ClientLeft);
}

#[tokio::test]
async fn connections_and_requests_play_the_turns_in_their_order() {
    let upstream = Upstream::start().await.unwrap();
    let turns = vec![
        connection(ConnectionFault::AcceptedClosed),
        ok(vec![]),
        connection(ConnectionFault::ResetAtOnce),
        ok(vec![Fault::Close { at: Point::BeforeHeaders }]),
    ];
    let case = arm(&upstream, "tok", turns.clone());
    let ends = async || {
        let mut seen = Vec::new();
        for _ in 0..5 {
            seen.push(knock(case.address("main")).await);
        }
        seen
    };
    let closed = (String::new(), None);
    let expected = [
        closed.clone(),
        ("200".to_owned(), None),
        (String::new(), Some(io::ErrorKind::ConnectionReset)),
        closed.clone(),
        closed,
    ];
    assert_eq!(ends().await, expected);
    let played: Vec<_> =
        case.attempts().into_iter().map(|attempt| (attempt.was_asked(), attempt.turn)).collect();
    let asked = [false, true, false, true, true];
    let order = [0, 1, 2, 3, 3];
    let wanted: Vec<_> =
        asked.iter().zip(order).map(|(asked, turn)| (*asked, Some(turns[turn].clone()))).collect();
    assert_eq!(played, wanted);
    case.begin(Instant::now());
    assert_eq!(ends().await, expected, "a new beginning begins with the first turn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_connections_at_once_get_two_turns() {
    let upstream = Upstream::start().await.unwrap();
    for _ in 0..50 {
        let turns = vec![
            connection(ConnectionFault::ResetAtOnce),
            connection(ConnectionFault::AcceptedClosed),
            ok(vec![]),
        ];
        let case = arm(&upstream, "tok", turns);
        let address = case.address("main");
        let knock = || tokio::spawn(async move { knock(address).await.1 });
        let (first, second) = (knock(), knock());
        let mut ends = [first.await.unwrap(), second.await.unwrap()];
        ends.sort_by_key(Option::is_some);
        assert_eq!(ends, [None, Some(io::ErrorKind::ConnectionReset)]);
    }
}

#[tokio::test]
async fn a_turn_for_connections_strikes_a_request_that_comes_on_an_open_one_as_far_as_it_can() {
    let upstream = Upstream::start().await.unwrap();
    let turns = vec![ok(vec![]), connection(ConnectionFault::ResetAtOnce)];
    let case = arm(&upstream, "tok", turns);
    // Both come in while the next turn is none for connections.
    let mut first = TcpStream::connect(case.address("main")).await.unwrap();
    let mut second = TcpStream::connect(case.address("main")).await.unwrap();
    // Not before this has an answer has the mock accepted both.
    first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    second.read_exact(&mut [0; 12]).await.unwrap();
    first.write_all(last(&chat(false)).as_bytes()).await.unwrap();
    assert!(drain(&mut first).await.0.contains("HTTP/1.1 200"));
    second.write_all(chat(false).as_bytes()).await.unwrap();
    assert_eq!(kind(&drain(&mut second).await.1), Some(io::ErrorKind::ConnectionReset));
    assert_eq!(case.attempts().last().unwrap().end, AttemptEnd::Reset);
    assert!(case.attempts().iter().all(Attempt::was_asked));
}

#[tokio::test]
async fn a_healed_case_meets_no_connection() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![connection(ConnectionFault::ResetAtOnce)]);
    case.heal().unwrap();
    let mut socket = send(case.address("main"), &last(&chat(false))).await;
    assert!(drain(&mut socket).await.0.starts_with("HTTP/1.1 200"));
}
