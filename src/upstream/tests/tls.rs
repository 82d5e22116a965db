//! Faults of TLS, and other faults over TLS, with a plain rustls session.

use std::{io, sync::Arc, time::Duration};

use rustls::{AlertDescription, CertificateError, Error as TlsError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use super::{
    super::{ArmedCase, Upstream, socket::Socket},
    client::{careless, handshake, refusal, trusting},
    stage::{arm_over, chat, count, drain, kind, last, ok, settled},
};
use crate::{
    observation::{Attempt, AttemptEnd},
    scenario::{ConnectionFault, Fault, Point, TlsAlert, TlsFault, Transport, Turn},
};

const CERTIFICATES: [TlsFault; 4] =
    [TlsFault::ExpiredCertificate, TlsFault::WrongName, TlsFault::SelfSigned, TlsFault::UnknownCa];

fn arm(upstream: &Upstream, faults: Vec<Fault>) -> ArmedCase {
    arm_over(upstream, "tok", vec![ok(faults)], Transport::Tls)
}

/// Returns the response to one request over TLS to a case with these faults.
async fn play(faults: Vec<Fault>, stream: bool) -> (String, io::Result<()>, Attempt) {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, faults);
    let mut session = handshake(case.address("main"), trusting(&upstream, &[])).await.unwrap();
    session.write_all(last(&chat(stream)).as_bytes()).await.unwrap();
    let (text, end) = drain(&mut session).await;
    let attempt = case.attempts().pop().unwrap();
    upstream.shutdown().await;
    (text, end, attempt)
}

#[tokio::test]
async fn without_a_fault_a_stream_arrives_whole_and_ends_with_close_notify() {
    let (text, end, attempt) = play(vec![], true).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("data: [DONE]\n\n\r\n0\r\n\r\n"), "{text}");
    // rustls reports a FIN without close_notify as an error.
    assert!(end.is_ok(), "{end:?}");
    assert_eq!((attempt.end, attempt.method.as_str()), (AttemptEnd::Finished, "POST"));
}

#[tokio::test]
async fn the_base_url_is_https_and_the_certificate_is_valid_for_each_name_of_this_machine() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![]);
    let address = case.address("main");
    assert_eq!(case.base_url("main"), format!("https://{address}/tok/main/v1"));
    let config = Arc::new(trusting(&upstream, &[]));
    for name in ["127.0.0.1", "::1", "localhost"] {
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(config.clone());
        let session = connector.connect(name.try_into().unwrap(), stream).await;
        assert!(session.is_ok(), "{name}: {session:?}");
    }
    let plain = arm_over(&upstream, "plain", vec![ok(vec![])], Transport::Plain);
    assert!(plain.base_url("main").starts_with("http://"));
}

#[tokio::test]
async fn each_bad_certificate_is_refused_for_its_own_reason() {
    let upstream = Upstream::start().await.unwrap();
    for fault in CERTIFICATES {
        let case = arm(&upstream, vec![Fault::Tls(fault)]);
        let error = handshake(case.address("main"), trusting(&upstream, &[])).await.err().unwrap();
        let TlsError::InvalidCertificate(reason) = refusal(&error) else { panic!("{fault:?}: {error:?}") };
        let right = match fault {
            TlsFault::ExpiredCertificate => matches!(reason, CertificateError::ExpiredContext { .. }),
            TlsFault::WrongName => matches!(reason, CertificateError::NotValidForNameContext { .. }),
            _ => matches!(reason, CertificateError::UnknownIssuer),
        };
        assert!(right, "{fault:?}: {reason:?}");
        settled(&case).await;
        let [attempt] = &case.attempts()[..] else { panic!("{fault:?}") };
        assert!(!attempt.was_asked(), "{fault:?}");
        assert_eq!(attempt.end, AttemptEnd::HandshakeFailed, "{fault:?}");
        assert_eq!(attempt.turn.as_ref().unwrap().faults, [Fault::Tls(fault)]);
        case.heal().unwrap();
        assert!(handshake(case.address("main"), trusting(&upstream, &[])).await.is_ok(), "{fault:?}: healed");
    }
}

#[tokio::test]
async fn a_client_that_accepts_a_bad_certificate_gets_the_same_turn() {
    let upstream = Upstream::start().await.unwrap();
    for fault in CERTIFICATES {
        let case = arm(&upstream, vec![Fault::Tls(fault)]);
        let mut session = handshake(case.address("main"), careless()).await.unwrap();
        session.write_all(chat(false).as_bytes()).await.unwrap();
        let (text, _) = drain(&mut session).await;
        assert!(text.starts_with("HTTP/1.1 200"), "{fault:?}: {text}");
        let [attempt] = &case.attempts()[..] else { panic!("{fault:?}") };
        assert_eq!((attempt.method.as_str(), attempt.end), ("POST", AttemptEnd::Finished), "{fault:?}");
        assert_eq!(attempt.turn.as_ref().unwrap().faults, [Fault::Tls(fault)]);
    }
}

#[tokio::test]
async fn a_session_is_never_resumed_because_a_resumed_one_sends_no_certificate() {
    let upstream = Upstream::start().await.unwrap();
    let turns = vec![ok(vec![]), ok(vec![Fault::Tls(TlsFault::ExpiredCertificate)])];
    let case = arm_over(&upstream, "tok", turns, Transport::Tls);
    let config = Arc::new(trusting(&upstream, &[]));
    let mut session = handshake(case.address("main"), config.clone()).await.unwrap();
    session.write_all(last(&chat(false)).as_bytes()).await.unwrap();
    assert!(drain(&mut session).await.0.starts_with("HTTP/1.1 200"));
    assert!(handshake(case.address("main"), config).await.is_err());
}

#[tokio::test]
async fn a_stalled_handshake_reads_the_first_message_and_sends_nothing() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![Fault::Tls(TlsFault::HandshakeStall)]);
    let silence =
        timeout(Duration::from_millis(100), handshake(case.address("main"), trusting(&upstream, &[]))).await;
    assert!(silence.is_err());
    settled(&case).await;
    let [attempt] = &case.attempts()[..] else { panic!() };
    assert_eq!((attempt.was_asked(), attempt.end), (false, AttemptEnd::ClientLeft));
}

#[tokio::test]
async fn each_alert_ends_the_handshake_with_its_number_and_a_fin() {
    let upstream = Upstream::start().await.unwrap();
    for &alert in TlsAlert::ALL {
        let case = arm(&upstream, vec![Fault::Tls(TlsFault::Alert(alert))]);
        let error = handshake(case.address("main"), trusting(&upstream, &[])).await.err().unwrap();
        let expected = TlsError::AlertReceived(AlertDescription::from(alert.number()));
        assert_eq!(refusal(&error), expected, "{}", alert.as_str());

        // On a raw socket the alert can be checked byte by byte, in response to a record that only claims to
        // be a hello.
        let mut socket = TcpStream::connect(case.address("main")).await.unwrap();
        socket.write_all(&[22, 3, 1, 0, 2, 1, 0]).await.unwrap();
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.unwrap();
        assert_eq!(bytes, [21, 3, 3, 0, 2, 2, alert.number()]);
        assert!(case.attempts().iter().all(|attempt| attempt.end == AttemptEnd::HandshakeFailed));
        assert_eq!(case.attempts().len(), 2);
    }
}

#[tokio::test]
async fn a_reset_under_tls_is_a_rst() {
    let (text, end, attempt) = play(vec![Fault::Reset { at: Point::AfterEvents(3) }], true).await;
    assert_eq!(kind(&end), Some(io::ErrorKind::ConnectionReset));
    assert_eq!((count(&text, "data: "), attempt.end), (3, AttemptEnd::Reset));
}

#[tokio::test]
async fn a_close_under_tls_sends_close_notify_with_the_chunks_unfinished() {
    let (text, end, attempt) = play(vec![Fault::Close { at: Point::AfterEvents(2) }], true).await;
    assert!(end.is_ok(), "{end:?}");
    assert!(count(&text, "data: ") == 2 && !text.contains("0\r\n\r\n"), "{text}");
    assert_eq!(attempt.end, AttemptEnd::Closed);
}

#[tokio::test]
async fn a_fin_without_close_notify_looks_like_a_cut() {
    let upstream = Upstream::start().await.unwrap();
    let server = upstream.shared.authority().unwrap().server(None, false);
    for announced in [true, false] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(server.clone());
        let serving = tokio::spawn(async move {
            let session = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            let socket = Socket::Tls(Box::new(session));
            if announced { socket.close().await } else { socket.close_unannounced() }
        });
        let mut session = handshake(address, trusting(&upstream, &[])).await.unwrap();
        let (text, end) = drain(&mut session).await;
        let seen = if announced { None } else { Some(io::ErrorKind::UnexpectedEof) };
        assert_eq!((text.as_str(), kind(&end)), ("", seen));
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn faults_of_connections_take_effect_before_tls() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, vec![Fault::Connection(ConnectionFault::ResetAtOnce)]);
    let error = handshake(case.address("main"), trusting(&upstream, &[])).await.err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(case.attempts()[0].end, AttemptEnd::Reset);
}

#[tokio::test]
async fn a_slow_accept_and_a_bad_certificate_are_one_turn() {
    let upstream = Upstream::start().await.unwrap();
    let time = Duration::from_millis(40);
    let faults = vec![Fault::Connection(ConnectionFault::SlowAccept(time)), Fault::Tls(TlsFault::SelfSigned)];
    let case = arm(&upstream, faults);
    assert!(handshake(case.address("main"), trusting(&upstream, &[])).await.is_err());
    settled(&case).await;
    let [attempt] = &case.attempts()[..] else { panic!() };
    assert_eq!(attempt.end, AttemptEnd::HandshakeFailed);
    assert!(attempt.end_ms.unwrap() - attempt.at_ms >= 40.0);
}

#[tokio::test]
async fn a_client_without_tls_at_a_tls_port_does_not_affect_others() {
    let upstream = Upstream::start().await.unwrap();
    let turns: Vec<Turn> = vec![ok(vec![])];
    let case = arm_over(&upstream, "tok", turns, Transport::Tls);
    let mut socket = TcpStream::connect(case.address("main")).await.unwrap();
    socket.write_all(chat(false).as_bytes()).await.unwrap();
    let (text, _) = drain(&mut socket).await;
    assert!(!text.contains("HTTP"), "{text}");
    assert!(case.attempts().is_empty());
    assert!(handshake(case.address("main"), trusting(&upstream, &[])).await.is_ok());
}
