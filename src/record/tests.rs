//! From a mock through the recorder to a mock again, with the clock of the test: only waits take time.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use super::*;
use crate::{
    observation::Identity,
    scenario::{Combination, Provider, Scenario, Transport, load_text},
    upstream::{Armed, ArmedCase, Upstream},
};

fn arm(upstream: &Upstream, scenario: &Scenario) -> ArmedCase {
    upstream
        .arm(Armed {
            providers: indexmap::IndexMap::new(),
            identity: Identity { token: "tok".to_owned() },
            combination: Combination { stream: true, ..scenario.matrix[0] },
            deployments: scenario.deployments.clone(),
            transport: Transport::Plain,
            account: None,
            seed: 1,
        })
        .unwrap()
}

/// The bytes of a response, and the milliseconds since the request when each of them had arrived.
async fn timed(address: std::net::SocketAddr) -> (Vec<u8>, Vec<f64>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = r#"{"model":"m","stream":true}"#;
    let request = format!(
        "POST /tok/primary/v1/chat/completions HTTP/1.1\r\nHost: mock\r\nAuthorization: Bearer sk-12345678\r\nConnection: \
         close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let sent = Instant::now();
    let (mut bytes, mut times) = (Vec::new(), Vec::new());
    while stream.read_buf(&mut bytes).await.is_ok_and(|read| read > 0) {
        times.resize(bytes.len(), sent.elapsed().as_secs_f64() * 1e3);
    }
    (bytes, times)
}

#[tokio::test(start_paused = true)]
async fn a_replay_has_the_times_of_the_recording() {
    // Three hundred waits that are not whole milliseconds: their rounding must not add up.
    let chunks: Vec<String> = (0..300)
        .map(|n| {
            let wait = 300 + 7 * (n % 50);
            format!("{{after: {wait}us, text: \"data: {{\\\"choices\\\":[]}}\\n\\n\"}}")
        })
        .collect();
    let text = format!(
        "title: t\nwhy: w\nmatrix: {{stream: [true]}}\nupstream:\n  - status: 200\n    chunks: [{}, {{after: 250ms, text: \
         \"data: [DONE]\\n\\n\"}}]\n    faults: [{{delay: {{at: before_headers, for: 1234ms}}}}]\n",
        chunks.join(", ")
    );
    let original = load_text("x", "x.yaml", &text).unwrap();
    let upstream = Upstream::start().await.unwrap();
    let armed = arm(&upstream, &original);
    let origin = format!("http://{}", upstream.address());
    let listen = "127.0.0.1:0".parse().unwrap();
    let mut recorder = Recorder::start(listen, &origin, Provider::Openai).await.unwrap();
    timed(recorder.address()).await;
    let exchange = recorder.next().await;
    assert_eq!(exchange.end, PassedEnd::Complete);
    let direct = timed(upstream.address()).await;
    drop(armed);

    let folder = tempfile::tempdir().unwrap();
    let mut store = RecordStore::open(folder.path(), &[], &[]).unwrap();
    let day = "2026-11-30".parse().unwrap();
    let SavedRecording::New(file) = store.save(&exchange, day).unwrap() else { panic!("it is new") };
    assert_eq!(store.save(&exchange, day).unwrap(), SavedRecording::Same(file.clone()));
    let text = std::fs::read_to_string(&file).unwrap();
    let recorded = load_text("y", "y.yaml", &text).unwrap();
    assert_eq!(recorded.recorded, Some(day));
    let _armed = arm(&upstream, &recorded);
    let replayed = timed(upstream.address()).await;

    let body = |bytes: &[u8]| {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        (head, bytes[head..].to_vec())
    };
    let (direct_head, direct_body) = body(&direct.0);
    let (head, replayed_body) = body(&replayed.0);
    assert_eq!(replayed_body, direct_body);
    let times = direct.1[direct_head..].iter().zip(&replayed.1[head..]);
    let deviation = times.map(|(one, other)| (one - other).abs()).fold(0.0, f64::max);
    assert!(deviation < 5.0, "{deviation} ms");
    assert!(direct.1.last().unwrap() > &1500.0, "the waits took time");
}

#[test]
fn a_key_in_the_response_prevents_the_recording() {
    let key = "sk-reflected-key-12345678";
    let exchange = |header: &str, value: &str| PassedExchange {
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        provider: Provider::Openai,
        api: Some(crate::scenario::Api::OpenaiChat),
        stream: false,
        secrets: vec![key.to_owned()],
        reply: Some(exchange::PassedReply {
            status: 401,
            headers: vec![(header.to_owned(), value.to_owned())],
            parts: vec![(Duration::ZERO, bytes::Bytes::from(format!("{{\"error\": \"no {key}\"}}")))],
        }),
        first: Duration::ZERO,
        end: PassedEnd::Complete,
        silence: Duration::ZERO,
    };
    let folder = tempfile::tempdir().unwrap();
    let mut store = RecordStore::open(folder.path(), &["x-own".to_owned()], &[]).unwrap();
    let day = "2026-11-30".parse().unwrap();
    let error = store.save(&exchange("x-own", key), day).unwrap_err();
    assert!(matches!(error, NotRecorded::Secret), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // Elsewhere it is replaced.
    let SavedRecording::New(file) = store.save(&exchange("x-other", key), day).unwrap() else {
        panic!("new")
    };
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains(key) && text.contains("xx-xxxxxxxxx-xxx-00000000"), "{text}");
}

/// Reads a message whose body has a `Content-Length`.
async fn message(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        stream.read_buf(&mut bytes).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next()).unwrap_or("0");
        if body.len() >= length.parse().unwrap() {
            return text;
        }
    }
}

#[tokio::test]
async fn headers_of_one_connection_and_an_offer_of_http_2_stay_on_it() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", upstream.local_addr().unwrap());
    let listen = "127.0.0.1:0".parse().unwrap();
    let mut recorder = Recorder::start(listen, &origin, Provider::Openai).await.unwrap();
    let mut client = TcpStream::connect(recorder.address()).await.unwrap();
    let request = "POST /v1/chat/completions HTTP/1.1\r\nHost: mock\r\nConnection: Upgrade, HTTP2-Settings, X-Of-Client\r\n\
                   Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nX-Of-Client: 1\r\nX-Kept: 1\r\nContent-Length: 2\r\n\r\n{}";
    client.write_all(request.as_bytes()).await.unwrap();

    let (mut to_upstream, _) = upstream.accept().await.unwrap();
    let asked = message(&mut to_upstream).await;
    let reply = "HTTP/1.1 429 Too Many Requests\r\nConnection: close, X-Of-Upstream\r\nX-Of-Upstream: 1\r\nRetry-After: 7\r\n\
                 Content-Length: 2\r\n\r\n{}";
    to_upstream.write_all(reply.as_bytes()).await.unwrap();
    let answered = message(&mut client).await;

    assert!(asked.contains("x-kept: 1"), "{asked}");
    for name in ["upgrade", "http2-settings", "x-of-client"] {
        assert!(!asked.contains(name), "{name}: {asked}");
    }
    assert!(answered.starts_with("http/1.1 429") && answered.contains("retry-after: 7"), "{answered}");
    assert!(!answered.contains("x-of-upstream"), "{answered}");
    let recorded = recorder.next().await.reply.unwrap();
    assert!(!recorded.headers.iter().any(|(name, _)| name == "x-of-upstream" || name == "connection"));
}
