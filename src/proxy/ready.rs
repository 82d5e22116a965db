//! Checks whether a proxy is ready.

use std::{io, net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{document::ReadyDocument, pattern::Pattern};

/// The interval between two checks.
pub(super) const EVERY: Duration = Duration::from_millis(100);

/// How long one check waits for a response of a proxy that accepts the connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that is read of a response.
const LONGEST: usize = 1 << 20;

/// The conditions under which an instance is ready.
#[derive(Debug)]
pub(super) struct ReadyCheck<'a> {
    pub(super) document: &'a ReadyDocument,
    /// The path of the GET request, rendered.
    pub(super) path: Option<String>,
}

impl ReadyCheck<'_> {
    /// Checks all conditions once. Returns the port that the proxy listens on, which is `port` unless the log names another
    /// one; or the first condition that does not hold.
    pub(super) async fn ask(&self, port: u16, log: impl Fn() -> String) -> Result<u16, String> {
        let port = match &self.document.log {
            Some(pattern) => port_in(&log(), pattern, port)?,
            None => port,
        };
        if self.document.tcp {
            let connecting = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
            let connected = timeout(PATIENCE, connecting).await.map_err(|_| too_late())?;
            connected.map_err(|error| format!("port {port}: {error}"))?;
        }
        if let Some(path) = &self.path {
            let asked = timeout(PATIENCE, self.get(port, path)).await.unwrap_or_else(|_| Err(too_late()));
            asked.map_err(|reason| format!("GET http://127.0.0.1:{port}{path}: {reason}"))?;
        }
        Ok(port)
    }

    /// Sends one request, and checks the response.
    ///
    /// This is a plain HTTP/1.1 request: a client that pools connections, retries or follows redirects might
    /// report something else than the proxy's first response.
    async fn get(&self, port: u16, path: &str) -> Result<(), String> {
        let text = |error: io::Error| error.to_string();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(text)?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.map_err(text)?;
        let mut received = Vec::new();
        loop {
            let ended = stream.read_buf(&mut received).await.map_err(text)? == 0 || received.len() > LONGEST;
            let response = String::from_utf8_lossy(&received);
            // A proxy may keep the connection open, so the end of the response is not awaited if it holds before.
            match self.holds(&response) {
                Some(outcome) if outcome.is_ok() || ended => return outcome,
                None if ended => return Err("the response is not HTTP".to_owned()),
                // Only a body can still become what it has to be.
                Some(outcome) if self.document.body.is_none() => return outcome,
                _ => {}
            }
        }
    }

    /// Whether a response, or its first part, is what it has to be; `None` if its head is incomplete.
    fn holds(&self, response: &str) -> Option<Result<(), String>> {
        let (head, body) = response.split_once("\r\n\r\n")?;
        let mut lines = head.lines();
        let status = lines.next().filter(|line| line.starts_with("HTTP/1.")).and_then(|line| line.get(9..12));
        let Some(status) = status.and_then(|status| status.parse().ok()) else {
            return Some(Err("the response is not HTTP".to_owned()));
        };
        let ReadyDocument { status: statuses, headers, body: wanted, .. } = self.document;
        if !statuses.contains(status) {
            return Some(Err(format!("status {status}")));
        }
        let received: Vec<(&str, &str)> = lines.filter_map(|line| line.split_once(':')).collect();
        let has = |(name, pattern): &(&String, &Pattern)| {
            let same = |(other, value): &(&str, &str)| {
                other.eq_ignore_ascii_case(name) && pattern.0.is_match(value.trim())
            };
            received.iter().any(same)
        };
        if let Some((name, pattern)) = headers.iter().find(|header| !has(header)) {
            return Some(Err(format!("no header {name} that matches `{}`", pattern.0)));
        }
        match wanted.as_ref().filter(|pattern| !pattern.0.is_match(body)) {
            Some(pattern) => Some(Err(format!("the body does not match `{}`", pattern.0))),
            None => Some(Ok(())),
        }
    }
}

fn too_late() -> String {
    format!("no response within {}", humantime::format_duration(PATIENCE))
}

/// The port that a line of the log names, or `port` if the pattern has no group for it.
fn port_in(log: &str, pattern: &Pattern, port: u16) -> Result<u16, String> {
    let found = log.lines().find_map(|line| pattern.0.captures(line));
    let found = found.ok_or_else(|| format!("no line of its log matches `{}`", pattern.0))?;
    match found.name("port") {
        None => Ok(port),
        Some(named) => {
            named.as_str().parse().map_err(|_| format!("`{}` in its log is not a port", named.as_str()))
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Checks a server that sends `response` and keeps the connection open. Its log names its port.
    async fn said(ready: &str, response: &'static str) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.write_all(response.as_bytes()).await;
                open.push(stream);
            }
        });
        let document: ReadyDocument = serde_saphyr::from_str(ready).unwrap();
        let path = document.get.as_ref().map(|text| text.source.clone());
        let check = ReadyCheck { document: &document, path };
        let log = format!("starting\nINFO listening on http://127.0.0.1:{port}/ now\n");
        match check.ask(if document.log.is_some() { 1 } else { port }, || log.clone()).await {
            Ok(found) if found == port => "ready".to_owned(),
            Ok(other) => format!("ready on {other}"),
            Err(reason) => reason.replace(&port.to_string(), "PORT"),
        }
    }

    const UP: &str = "HTTP/1.1 200 OK\r\nX-State: warm\r\ncontent-length: 11\r\n\r\n{\"up\": true}";

    #[tokio::test]
    async fn a_response_must_have_the_status_the_headers_and_the_body() {
        assert_eq!(said("{get: /}", UP).await, "ready");
        assert_eq!(said("{get: /, headers: {x-state: ^warm$}, body: '\"up\": true'}", UP).await, "ready");
        assert_eq!(
            said("{get: /, headers: {x-state: cold}}", UP).await,
            "GET http://127.0.0.1:PORT/: no header x-state that matches `cold`"
        );
        assert_eq!(said("{get: /, status: [401, 5xx]}", UP).await, "GET http://127.0.0.1:PORT/: status 200");
        let refused = "HTTP/1.1 401 Unauthorized\r\n\r\n";
        assert_eq!(said("{get: /v1/models, status: 401}", refused).await, "ready");
        assert_eq!(said("{get: /}", refused).await, "GET http://127.0.0.1:PORT/: status 401");
        assert_eq!(
            said("{get: /}", "SSH-2.0\r\n\r\n").await,
            "GET http://127.0.0.1:PORT/: the response is not HTTP"
        );
    }

    #[tokio::test]
    async fn a_port_is_enough_for_a_proxy_without_http() {
        assert_eq!(said("{tcp: true}", "").await, "ready");
    }

    #[tokio::test]
    async fn a_line_of_the_log_can_name_the_port() {
        assert_eq!(said(r"{log: 'listening on http://[^:]+:(?P<port>\d+)/', get: /}", UP).await, "ready");
        assert_eq!(said("{log: listening}", UP).await, "ready on 1");
        assert_eq!(said("{log: ready to serve}", UP).await, "no line of its log matches `ready to serve`");
        assert_eq!(said("{log: '(?P<port>now)'}", UP).await, "`now` in its log is not a port");
    }
}
