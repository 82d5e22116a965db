//! A case with one deployment, and a client that is a plain socket.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::super::{Armed, ArmedCase, Upstream};
use crate::{
    observation::{Attempt, Identity},
    scenario::{Api, Combination, Fault, Provider, SuccessReply, Transport, Turn, TurnReply},
};

pub(super) fn turn(answer: TurnReply, faults: Vec<Fault>) -> Turn {
    Turn { answer, headers: indexmap::IndexMap::new(), faults }
}

pub(super) fn ok(faults: Vec<Fault>) -> Turn {
    turn(TurnReply::Reply(SuccessReply::Ok), faults)
}

pub(super) fn arm(upstream: &Upstream, token: &str, turns: Vec<Turn>) -> ArmedCase {
    arm_over(upstream, token, turns, Transport::Plain)
}

pub(super) fn arm_over(
    upstream: &Upstream,
    token: &str,
    turns: Vec<Turn>,
    transport: Transport,
) -> ArmedCase {
    let combination = Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: true };
    let identity = Identity { token: token.into() };
    upstream
        .arm(Armed {
            providers: indexmap::IndexMap::new(),
            identity,
            combination,
            deployments: Arc::new([("main".into(), turns)].into()),
            transport,
            account: None,
            seed: 1,
        })
        .unwrap()
}

pub(super) fn request(path: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: mock\r\nAuthorization: Bearer sk-x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(super) fn chat(stream: bool) -> String {
    request("/tok/main/v1/chat/completions", &format!("{{\"model\":\"m\",\"stream\":{stream}}}"))
}

/// Reads everything and returns how the connection ends: `Ok` for a FIN. Returns a time-out error if nothing
/// arrives for a second.
pub(super) async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> (String, io::Result<()>) {
    let mut all = Vec::new();
    let mut buf = [0; 4096];
    let end = loop {
        match timeout(Duration::from_secs(1), stream.read(&mut buf)).await {
            Ok(Ok(0)) => break Ok(()),
            Ok(Ok(n)) => all.extend_from_slice(&buf[..n]),
            Ok(Err(error)) => break Err(error),
            Err(_) => break Err(io::ErrorKind::TimedOut.into()),
        }
    };
    (String::from_utf8_lossy(&all).into_owned(), end)
}

pub(super) async fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Returns the response to one request on a new connection to a case with this single turn.
pub(super) async fn play(turn: Turn, stream: bool) -> (String, io::Result<()>, Attempt) {
    let upstream = Upstream::start().await.unwrap();
    let case = arm(&upstream, "tok", vec![turn]);
    let request = chat(stream).replace("Host:", "Connection: close\r\nHost:");
    let mut socket = send(upstream.address(), &request).await;
    let (text, end) = drain(&mut socket).await;
    let attempt = case.attempts().pop().unwrap();
    upstream.shutdown().await;
    (text, end, attempt)
}

pub(super) fn kind(end: &io::Result<()>) -> Option<io::ErrorKind> {
    end.as_ref().err().map(io::Error::kind)
}

pub(super) fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

/// Makes a request the last one on its connection.
pub(super) fn last(request: &str) -> String {
    request.replace("Host:", "Connection: close\r\nHost:")
}

/// Waits until no attempt of a case is open.
pub(super) async fn settled(case: &ArmedCase) {
    timeout(Duration::from_secs(5), async {
        while case.open_attempts() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the mock notices that its client has left");
}
