//! Checks whether a proxy is ready.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// The interval between two checks.
pub(super) const EVERY: Duration = Duration::from_millis(100);

/// How long one check waits for a response of a proxy that accepts the connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends one request. Returns `Ok` for a 2xx status, otherwise a description of what happened.
///
/// This is a plain HTTP/1.1 request: a client that pools connections, retries or follows redirects might
/// report something else than the proxy's first response.
pub(super) async fn ask(port: u16, path: &str) -> Result<(), String> {
    match timeout(PATIENCE, status(port, path)).await {
        Err(_) => Err(format!("no response within {}", humantime::format_duration(PATIENCE))),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(status)) if (200..300).contains(&status) => Ok(()),
        Ok(Ok(status)) => Err(format!("status {status}")),
    }
}

async fn status(port: u16, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // Only the status matters: `HTTP/1.1 200`.
    let mut line = [0; 12];
    stream.read_exact(&mut line).await?;
    std::str::from_utf8(&line)
        .ok()
        .filter(|line| line.starts_with("HTTP/1."))
        .and_then(|line| line[9..].parse().ok())
        .ok_or_else(|| io::Error::other("the response is not HTTP"))
}
