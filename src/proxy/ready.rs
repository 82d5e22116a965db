//! Asking a proxy whether it is ready.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// From one question to the next.
pub(super) const EVERY: Duration = Duration::from_millis(100);

/// A proxy that accepts but does not answer is asked again after this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks once. `Ok` is 2xx, anything else says what was seen.
///
/// This is a bare HTTP/1.1 request, because a client that pools, retries or follows would tell
/// something else than what the proxy said.
pub(super) async fn ask(port: u16, path: &str) -> Result<(), String> {
    match timeout(PATIENCE, status(port, path)).await {
        Err(_) => Err(format!("no answer within {}", humantime::format_duration(PATIENCE))),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(status)) if (200..300).contains(&status) => Ok(()),
        Ok(Ok(status)) => Err(format!("status {status}")),
    }
}

async fn status(port: u16, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // `HTTP/1.1 200` is all that counts.
    let mut line = [0; 12];
    stream.read_exact(&mut line).await?;
    std::str::from_utf8(&line)
        .ok()
        .filter(|line| line.starts_with("HTTP/1."))
        .and_then(|line| line[9..].parse().ok())
        .ok_or_else(|| io::Error::other("the answer is not HTTP"))
}
