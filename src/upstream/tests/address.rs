//! Faults of an address, which affect all connections until the case is healed.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    super::{ArmedCase, Upstream},
    stage::{arm, chat, drain, last, ok, send},
};
use crate::scenario::{ConnectionFault, Fault};

fn faulty(fault: ConnectionFault) -> Vec<crate::scenario::Turn> {
    vec![ok(vec![Fault::Connection(fault)])]
}

/// Returns the response to a plain request on a new connection.
async fn ask(address: SocketAddr) -> String {
    drain(&mut send(address, &last(&chat(false))).await).await.0
}

/// Checks that a healed case answers, and that its address is faulty again after a new run has begun.
async fn heals_and_is_faulty_again(case: &ArmedCase, is_faulty: impl AsyncFn(SocketAddr)) {
    let address = case.address("main");
    is_faulty(address).await;
    is_faulty(address).await;
    case.heal().unwrap();
    case.heal().unwrap();
    assert!(ask(address).await.starts_with("HTTP/1.1 200"));
    assert_eq!(case.attempts().len(), 1, "requests before healing do not count as attempts");
    case.begin(Instant::now());
    is_faulty(address).await;
    assert!(case.attempts().is_empty());
}

#[tokio::test]
async fn a_refused_port_refuses_heals_and_refuses_again() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![ok(vec![Fault::Refuse])]);
    let address = case.address("main");
    assert_ne!(address, upstream.address());
    assert_eq!(case.base_url("main"), format!("http://{address}/tok/main/v1"));
    let refused = async || TcpStream::connect(address).await.map(drop).map_err(|error| error.kind());
    assert_eq!(refused().await, Err(io::ErrorKind::ConnectionRefused));

    case.heal().unwrap();
    case.heal().unwrap();
    let mut socket = send(address, &chat(false).replace("Host:", "Connection: close\r\nHost:")).await;
    let (text, _) = drain(&mut socket).await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");

    case.begin(Instant::now());
    assert_eq!(refused().await, Err(io::ErrorKind::ConnectionRefused));
    assert!(case.attempts().is_empty());
    case.heal().unwrap();
    assert_eq!(refused().await, Ok(()));
    upstream.shutdown().await;
    assert_eq!(refused().await, Err(io::ErrorKind::ConnectionRefused));
}

async fn is_not_accepted(address: SocketAddr) {
    // The kernel accepts the connection and all bytes, so only a client that waits for a response notices.
    let mut socket = send(address, &chat(false)).await;
    let silence = timeout(Duration::from_millis(100), socket.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[tokio::test]
async fn a_port_that_never_accepts_is_silent_until_it_is_healed() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", faulty(ConnectionFault::NeverAccepted));
    heals_and_is_faulty_again(&case, is_not_accepted).await;
    let mut waiting = send(case.address("main"), &chat(false)).await;
    drop(case);
    // The connection will never be accepted, and the kernel reports that with a RST.
    let end = drain(&mut waiting).await;
    assert_eq!((end.0.as_str(), end.1.map_err(|e| e.kind())), ("", Err(io::ErrorKind::ConnectionReset)));
}

#[cfg(target_os = "linux")]
async fn takes_no_connection(address: SocketAddr) {
    // The kernel repeats a dropped SYN after a second. Nothing else takes so long on loopback.
    let connected = timeout(Duration::from_millis(300), TcpStream::connect(address)).await;
    assert!(connected.is_err(), "{connected:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_backlog_lets_no_connection_in_until_it_is_healed() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", faulty(ConnectionFault::BacklogFull));
    heals_and_is_faulty_again(&case, takes_no_connection).await;
    let address = case.address("main");
    drop(case);
    upstream.shutdown().await;
    assert_eq!(TcpStream::connect(address).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_cannot_be_healed() {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", faulty(ConnectionFault::UnresolvableName));
    let port = upstream.address().port();
    assert_eq!(case.base_url("main"), format!("http://tok.upfault.invalid:{port}/tok/main/v1"));
    assert_eq!(case.hosts(), [format!("tok.upfault.invalid:{port}")]);
    let host = case.host("main");
    let resolved = tokio::task::spawn_blocking(move || host.to_socket_addrs().map(|all| all.count())).await;
    assert!(resolved.unwrap().is_err());
    assert_eq!(case.heal().unwrap_err().kind(), io::ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_deployments_own_port_is_closed_with_its_case() {
    let upstream = Upstream::start().await.unwrap();
    for fault in [ConnectionFault::NeverAccepted, ConnectionFault::AcceptedSilent] {
        let case = arm(&upstream, "tok", faulty(fault.clone()));
        let address = case.address("main");
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(b"x").await.unwrap();
        drop(case);
        // The waiting client gets either a FIN or a RST.
        let _ = timeout(Duration::from_secs(5), socket.read(&mut [0; 8])).await.expect("it ends");
        let gone = async {
            while TcpStream::connect(address).await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(5), gone).await.unwrap_or_else(|_| panic!("{fault:?}: it still listens"));
    }
}
