//! A client that sends exactly the given bytes.

use std::{io, net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    provider::{KeyPlace, RouteRow, base_path, profile},
    scenario::{Api, Provider, load_dir},
    serve::Server,
};

/// One response, unchanged.
#[derive(Debug)]
pub(super) struct ApiResponse {
    /// The status; 0 if there was no response.
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
    pub(super) end: io::Result<()>,
}

impl ApiResponse {
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Starts a server with the bundled scenarios. It also accepts requests for the host `mock.test`.
pub(super) async fn start() -> Server {
    let library = load_dir(std::path::Path::new("/nonexistent"), &[]).unwrap();
    Server::start("127.0.0.1:0".parse().unwrap(), library, vec!["mock.test".parse().unwrap()]).await.unwrap()
}

/// Sends these bytes on a new connection and reads the response.
pub(super) async fn send(address: SocketAddr, request: &[u8]) -> ApiResponse {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    read(&mut stream).await
}

/// Reads until the connection ends. Gives up after half a minute without a byte, so that a busy machine fails no test.
pub(super) async fn read(stream: &mut TcpStream) -> ApiResponse {
    let mut bytes = Vec::new();
    let end = loop {
        match timeout(Duration::from_secs(30), stream.read_buf(&mut bytes)).await {
            Ok(Ok(0)) => break Ok(()),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => break Err(error),
            Err(_) => break Err(io::ErrorKind::TimedOut.into()),
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    ApiResponse { status, head: head.to_owned(), body: body.to_owned(), end }
}

/// Sends a request on a new connection, with a key as OpenAI expects it.
pub(super) async fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> ApiResponse {
    send(address, plain(method, path, &["Authorization: Bearer sk-x".to_owned()], body).as_bytes()).await
}

/// A request as text.
pub(super) fn plain(method: &str, path: &str, headers: &[String], body: &str) -> String {
    let mut lines = vec![
        format!("{method} {path} HTTP/1.1"),
        "Host: mock.test:1".to_owned(),
        "Connection: close".to_owned(),
        format!("Content-Length: {}", body.len()),
    ];
    lines.extend_from_slice(headers);
    format!("{}\r\n\r\n{body}", lines.join("\r\n"))
}

/// Header lines with a key in the first place in which a provider expects it, and the other headers that it
/// requires.
pub(super) fn key_of(provider: Provider) -> Vec<String> {
    profile(provider)
        .key
        .iter()
        .filter_map(|place| match place {
            KeyPlace::Bearer => Some("Authorization: Bearer sk-x".to_owned()),
            KeyPlace::Header(name) => Some(format!("{name}: sk-x")),
            KeyPlace::Sigv4 => Some(
                "Authorization: AWS4-HMAC-SHA256 Credential=AKIAX/20261122/us-east-1/bedrock/aws4_request, \
                 SignedHeaders=host, Signature=00"
                    .to_owned(),
            ),
            KeyPlace::Query(_) => None,
        })
        .take(1)
        .chain(profile(provider).required_headers.keys().map(|name| format!("{name}: x")))
        .collect()
}

/// Every path of a provider to which clients post JSON, without the path of its base URL and with the model
/// filled in.
pub(super) fn paths_of(provider: Provider) -> Vec<String> {
    let profile = profile(provider);
    let fill = |path: &str| {
        let mut out = String::new();
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, behind) = after.split_once('}').unwrap();
            out = out + before + if name == "model" { &profile.model } else { "x" };
            rest = behind;
        }
        out + rest
    };
    let below = |path: String| path.strip_prefix(base_path(provider)).unwrap_or(&path).to_owned();
    let takes_json = |row: &&RouteRow| !matches!(row.api, Api::OpenaiTranscriptions | Api::OpenaiFiles);
    profile
        .routes
        .iter()
        .filter(takes_json)
        .filter_map(|row| {
            let query = row.query.as_deref().map(|name| format!("?{name}=x")).unwrap_or_default();
            Some(below(fill(row.post.as_deref()?)) + &query)
        })
        .collect()
}
