//! The side of the fake proxy that providers see.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;
use url::Url;

use super::Route;

/// The most that is passed on in one piece.
const MOST: u64 = 65536;

/// How the end of a response body is found.
#[derive(Debug, Clone, Copy)]
enum Framing {
    /// Bytes left of the whole body.
    Length(u64),
    /// Bytes left of the current chunk, if one has begun.
    Chunks(Option<u64>),
    /// The body ends with the connection.
    Close,
    /// The body has ended.
    Ended,
}

/// A response of a provider whose body has not been read yet.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) status: u16,
    /// Names in lower case.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    reader: BufReader<TcpStream>,
    framing: Framing,
}

impl Upstream {
    /// Sends a request and waits for the head of its response.
    pub(super) fn ask(route: &Route, body: &Value) -> io::Result<Self> {
        let url = Url::parse(&route.base_url).map_err(io::Error::other)?;
        let timeout = Some(Duration::from_secs_f64(route.timeout_s));
        let mut stream = TcpStream::connect(&*url.socket_addrs(|| None)?)?;
        stream.set_read_timeout(timeout)?;
        stream.set_write_timeout(timeout)?;
        stream.set_nodelay(true)?;
        let body = body.to_string();
        let request = format!(
            "POST {}/chat/completions HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: identity\r\nContent-Length: {}\r\n\
             content-type: application/json\r\nauthorization: Bearer {}\r\n\r\n{body}",
            url.path(),
            url.authority(),
            body.len(),
            route.api_key
        );
        stream.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(stream);
        let (status, headers) = loop {
            let (first_line, headers) = read_head(&mut reader)?;
            let status = first_line.split(' ').nth(1).and_then(|status| status.parse().ok());
            match (first_line.starts_with("HTTP/"), status) {
                (true, Some(100)) => {}
                (true, Some(status)) => break (status, headers),
                _ => return Err(ErrorKind::InvalidData.into()),
            }
        };
        let framing = framing(status, &headers);
        Ok(Self { status, headers, reader, framing })
    }

    /// The next bytes of the body as they arrive, or `None` at its end. An incomplete chunked body is an error.
    pub(super) fn piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        if let Framing::Chunks(None) = self.framing {
            let size = read_line(&mut self.reader)?;
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
            self.framing = if size == 0 { Framing::Ended } else { Framing::Chunks(Some(size)) };
        }
        let most = match self.framing {
            Framing::Length(0) | Framing::Ended => return Ok(None),
            Framing::Length(left) | Framing::Chunks(Some(left)) => left.min(MOST),
            Framing::Close | Framing::Chunks(None) => MOST,
        };
        let mut piece = self.reader.fill_buf()?.to_vec();
        piece.truncate(usize::try_from(most).map_err(io::Error::other)?);
        self.reader.consume(piece.len());
        let read = piece.len() as u64;
        match self.framing {
            Framing::Chunks(_) if read == 0 => return Err(ErrorKind::UnexpectedEof.into()),
            Framing::Length(left) => self.framing = Framing::Length(left - read),
            Framing::Chunks(Some(left)) if left == read => {
                self.reader.read_exact(&mut [0; 2])?;
                self.framing = Framing::Chunks(None);
            }
            Framing::Chunks(left) => self.framing = Framing::Chunks(left.map(|left| left - read)),
            Framing::Close | Framing::Ended => {}
        }
        Ok(Some(piece).filter(|piece| !piece.is_empty()))
    }

    /// An error if the provider closed the connection before the announced end of the body.
    pub(super) fn require_whole_body(&self) -> io::Result<()> {
        match self.framing {
            Framing::Length(1..) => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

fn framing(status: u16, headers: &[(String, Vec<u8>)]) -> Framing {
    let header = |name: &str| {
        let value = headers.iter().find(|(key, _)| key == name)?;
        str::from_utf8(&value.1).ok()
    };
    if matches!(status, 100..200 | 204 | 304) {
        Framing::Ended
    } else if header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        Framing::Chunks(None)
    } else {
        header("content-length").and_then(|value| value.parse().ok()).map_or(Framing::Close, Framing::Length)
    }
}

/// The first line of a message, and its headers with names in lower case. Values are bytes, because providers may
/// send any.
pub(super) fn read_head(reader: &mut impl BufRead) -> io::Result<(String, Vec<(String, Vec<u8>)>)> {
    let first_line = read_line(reader)?;
    let mut headers = Vec::new();
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line)?;
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok((first_line, headers));
        }
        if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            let name = String::from_utf8_lossy(&line[..colon]).to_lowercase();
            headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
        }
    }
}

/// A line without its end. The end of the connection is an error.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(String::from_utf8_lossy(line.trim_ascii()).into_owned())
}
