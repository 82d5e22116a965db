//! Faults of connections, on raw sockets.

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

/// Returns the only attempt and checks that no request was read.
#[track_caller]
fn unasked(case: &ArmedCase, turn: &Turn) -> Attempt {
    let attempts = case.attempts();
    let [attempt] = &attempts[..] else { panic!("{attempts:#?}") };
    assert!(!attempt.was_asked());
    assert_eq!((attempt.n, attempt.path.as_str(), attempt.body.as_str()), (1, "", ""));
    assert_eq!((attempt.turn.as_ref(), attempt.sent.status), (Some(turn), None));
    attempt.clone()
}

/// Returns the status of a request on a new connection, and how the connection ends.
async fn connect_and_ask(address: SocketAddr) -> (String, Option<io::ErrorKind>) {
    // A RST may arrive before the client knows that it is connected, or before it has sent the request.
    let reset = |error: io::Error| (String::new(), Some(error.kind()));
    let mut socket = match TcpStream::connect(address).await {
        Ok(socket) => socket,
        Err(error) => return reset(error),
    };
    match socket.write_all(last(&chat(false)).as_bytes()).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return reset(error),
        // The read below detects a FIN.
        _ => {}
    }
    let (text, end) = drain(&mut socket).await;
    (text.get(9..12).unwrap_or_default().to_owned(), kind(&end))
}

#[tokio::test]
async fn a_deployment_without_such_a_fault_does_not_need_its_own_port() {
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
async fn a_silent_connection_accepts_only_what_fits_in_the_kernels_buffers() {
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
async fn a_connection_that_is_closed_at_once_gets_a_fin_even_if_it_sends_a_request() {
    let upstream = Upstream::start().await.unwrap();
    let turn = connection(ConnectionFault::AcceptedClosed);
    for request in ["", &chat(false)] {
        let case = arm(&upstream, "tok", vec![turn.clone()]);
        let mut socket = TcpStream::connect(case.address("main")).await.unwrap();
        // The mock may have ended the connection before the client has sent the request.
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
async fn a_slow_accept_reads_late_and_answers_with_the_same_turn() {
    let upstream = Upstream::start().await.unwrap();
    let time = Duration::from_millis(80);
    let turn = connection(ConnectionFault::SlowAccept(time));
    let case = arm(&upstream, "tok", vec![turn.clone()]);
    for n in 1..=2 {
        let began = Instant::now();
        let mut socket = send(case.address("main"), &chat(false)).await;
        let (text, end) = drain(&mut socket).await;
        assert!(text.starts_with("HTTP/1.1 200") && end.is_ok(), "{text}");
        // The reply says that the connection ends, so that the next request is late too.
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
async fn a_client_that_leaves_before_a_slow_accept_reads_leaves_an_attempt_without_a_request() {
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
async fn connections_and_requests_use_the_turns_in_order() {
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
            seen.push(connect_and_ask(case.address("main")).await);
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
    assert_eq!(ends().await, expected, "a new run begins with the first turn");
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
        let knock = || tokio::spawn(async move { connect_and_ask(address).await.1 });
        let (first, second) = (knock(), knock());
        let mut ends = [first.await.unwrap(), second.await.unwrap()];
        ends.sort_by_key(Option::is_some);
        assert_eq!(ends, [None, Some(io::ErrorKind::ConnectionReset)]);
    }
}

#[tokio::test]
async fn a_fault_of_the_connection_affects_a_request_on_an_open_connection_as_far_as_possible() {
    let upstream = Upstream::start().await.unwrap();
    let turns = vec![ok(vec![]), connection(ConnectionFault::ResetAtOnce)];
    let case = arm(&upstream, "tok", turns);
    // Both connect while the next turn has no fault of the connection.
    let mut first = TcpStream::connect(case.address("main")).await.unwrap();
    let mut second = TcpStream::connect(case.address("main")).await.unwrap();
    // Once these requests have responses, the mock has accepted both connections.
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
async fn a_healed_case_does_not_affect_connections() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![connection(ConnectionFault::ResetAtOnce)]);
    case.heal().unwrap();
    let mut socket = send(case.address("main"), &last(&chat(false))).await;
    assert!(drain(&mut socket).await.0.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_silent_connection_without_a_request_is_not_an_attempt_and_heals() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![connection(ConnectionFault::AcceptedSilent)]);
    let mut spare = TcpStream::connect(case.address("main")).await.unwrap();
    while case.attempts().is_empty() {
        tokio::task::yield_now().await;
    }
    case.heal().unwrap();
    spare.write_all(last(&chat(false)).as_bytes()).await.unwrap();
    assert!(drain(&mut spare).await.0.starts_with("HTTP/1.1 200"), "the spare connection is served");
    let attempts = case.attempts();
    assert_eq!(attempts.len(), 1, "only the request counts");
    assert!(attempts[0].was_asked());

    case.begin(tokio::time::Instant::now());
    drop(TcpStream::connect(case.address("main")).await.unwrap());
    let asking = send(case.address("main"), &chat(false)).await;
    while case.attempts().len() != 1 || case.arrived() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(case.attempts()[0].end, AttemptEnd::Open);
    drop(asking);
}
