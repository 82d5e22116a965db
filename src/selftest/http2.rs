//! An HTTP/2 client that shows every frame (RFC 9113), including those that a library would answer or hide.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout},
};

use super::{
    raw_request::{RawRequest, authority},
    reply::ParsedReply,
    transcript::{ConnectionEnd, Read, Transcript, ending_of},
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The id of the only stream.
const STREAM: u32 = 1;

/// The initial flow-control window (RFC 9113 section 6.9.2).
const WINDOW: i64 = 65_535;

/// The initial maximum payload of a frame (RFC 9113 section 4.2).
const MAX_PAYLOAD: usize = 16_384;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;
const PADDED: u8 = 8;

/// The types of RFC 9113 section 6 that this client handles.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

struct RawHttp2Client<S> {
    stream: S,
    /// All received bytes. The first `parsed` of them have been handled.
    raw: Vec<u8>,
    parsed: usize,
    /// The rest of the request's body, and how much of it the client may send.
    body: Vec<u8>,
    connection_window: i64,
    stream_window: i64,
    frames: Vec<String>,
    status: Option<u16>,
    pieces: Vec<(usize, Vec<u8>)>,
    ended: bool,
    reset: Option<u32>,
    gone: Option<u32>,
    /// Whether the mock answered a PING after the end of the stream.
    alive: bool,
}

/// Sends the request on one stream and records everything that the mock sends.
pub(super) async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &RawRequest<'_>,
    began: Instant,
) -> Transcript {
    let mut client = RawHttp2Client {
        stream,
        raw: Vec::new(),
        parsed: 0,
        body: request.call.body().into_bytes(),
        connection_window: WINDOW,
        stream_window: WINDOW,
        frames: Vec::new(),
        status: None,
        pieces: Vec::new(),
        ended: false,
        reset: None,
        gone: None,
        alive: false,
    };
    let mut reads = Vec::new();
    let ending = match client.open(request).await {
        Err(error) => ending_of(&error),
        Ok(()) => loop {
            let mut buffer = Vec::with_capacity(MAX_PAYLOAD);
            match timeout(request.quiet(), client.stream.read_buf(&mut buffer)).await {
                Err(_) => break ConnectionEnd::Open,
                Ok(Err(error)) => break ending_of(&error),
                Ok(Ok(0)) => break ConnectionEnd::Fin,
                Ok(Ok(_)) => {
                    client.raw.extend_from_slice(&buffer);
                    reads.push(Read { at: began.elapsed(), bytes: buffer });
                    if let Err(error) = client.understand().await {
                        break ending_of(&error);
                    }
                    if client.alive {
                        break ConnectionEnd::Open;
                    }
                }
            }
        },
    };
    let ending = match (client.gone, client.reset) {
        (Some(code), _) if matches!(ending, ConnectionEnd::Fin | ConnectionEnd::Truncated) => {
            ConnectionEnd::GoneAway(code)
        }
        (None, Some(code)) if client.alive => ConnectionEnd::StreamReset(code),
        _ => ending,
    };
    let reply = ParsedReply::of_frames(client.status, &client.pieces, client.ended, client.raw.len());
    Transcript { reads, ending, ended: began.elapsed(), reply, frames: client.frames, next: None }
}

impl<S: AsyncRead + AsyncWrite + Unpin> RawHttp2Client<S> {
    /// Sends the preface, the settings, the request's head, and as much of its body as the window allows.
    async fn open(&mut self, request: &RawRequest<'_>) -> io::Result<()> {
        let mut block = Vec::new();
        let authority = authority(request.url);
        let path = request.url.path();
        for (name, value) in
            [(":method", "POST"), (":scheme", "https"), (":authority", authority), (":path", path)]
        {
            literal(&mut block, name, value);
        }
        for (name, value) in request.call.headers(request.key) {
            literal(&mut block, name, &value);
        }
        literal(&mut block, "content-length", &self.body.len().to_string());
        let mut opening = PREFACE.to_vec();
        opening.extend(frame(SETTINGS, 0, 0, &[]));
        // Open both windows, so that the mock never waits for this client.
        opening.extend(frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes()));
        opening.extend(frame(HEADERS, END_HEADERS, STREAM, &block));
        opening.extend(frame(WINDOW_UPDATE, 0, STREAM, &(1_u32 << 30).to_be_bytes()));
        self.send(&opening).await?;
        self.send_body().await
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn send_body(&mut self) -> io::Result<()> {
        while !self.body.is_empty() {
            let allowed = self.connection_window.min(self.stream_window).max(0);
            let part = self.body.len().min(MAX_PAYLOAD).min(usize::try_from(allowed).unwrap_or(0));
            if part == 0 {
                break;
            }
            let payload: Vec<u8> = self.body.drain(..part).collect();
            self.connection_window -= part as i64;
            self.stream_window -= part as i64;
            let flags = if self.body.is_empty() { END_STREAM } else { 0 };
            self.send(&frame(DATA, flags, STREAM, &payload)).await?;
        }
        Ok(())
    }

    /// Handles every complete frame.
    async fn understand(&mut self) -> io::Result<()> {
        while let Some(header) = self.raw.get(self.parsed..self.parsed + 9) {
            let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
            let (kind, flags) = (header[3], header[4]);
            let id = u32::from_be_bytes([header[5], header[6], header[7], header[8]]) & 0x7fff_ffff;
            let begin = self.parsed + 9;
            let Some(payload) = self.raw.get(begin..begin + length) else { break };
            let payload = payload.to_vec();
            self.parsed = begin + length;
            self.take(kind, flags, id, begin, &payload).await?;
        }
        Ok(())
    }

    async fn take(&mut self, kind: u8, flags: u8, id: u32, at: usize, payload: &[u8]) -> io::Result<()> {
        let number = |from: usize| {
            let bytes = payload.get(from..from + 4).unwrap_or(&[0; 4]);
            u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
        };
        let word = match kind {
            DATA => {
                let padded = flags & PADDED != 0;
                let padding = payload.first().filter(|_| padded).map_or(0, |length| usize::from(*length));
                let begin = usize::from(padded);
                let data = payload.get(begin..payload.len().saturating_sub(padding)).unwrap_or_default();
                self.pieces.push((at + begin, data.to_vec()));
                "DATA".to_owned()
            }
            HEADERS => {
                self.status = self.status.or_else(|| status(payload));
                "HEADERS".to_owned()
            }
            RST_STREAM if id == STREAM => {
                self.reset = Some(number(0));
                // If the mock answers this PING, only the stream has ended.
                self.send(&frame(PING, 0, 0, b"selftest")).await?;
                format!("RST_STREAM({})", number(0))
            }
            SETTINGS if flags & ACK == 0 => {
                for setting in payload.chunks_exact(6) {
                    if setting[..2] == [0, 4] {
                        let window =
                            i64::from(u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]));
                        self.stream_window += window - WINDOW;
                    }
                }
                self.send(&frame(SETTINGS, ACK, 0, &[])).await?;
                self.send_body().await?;
                "SETTINGS".to_owned()
            }
            SETTINGS => "SETTINGS(ack)".to_owned(),
            PING if flags & ACK == 0 => {
                self.send(&frame(PING, ACK, 0, payload)).await?;
                "PING".to_owned()
            }
            PING => {
                self.alive = true;
                "PING(ack)".to_owned()
            }
            GOAWAY => {
                self.gone = Some(number(4));
                format!("GOAWAY({})", number(4))
            }
            WINDOW_UPDATE => {
                let more = i64::from(number(0) & 0x7fff_ffff);
                let window = if id == 0 { &mut self.connection_window } else { &mut self.stream_window };
                *window += more;
                self.send_body().await?;
                "WINDOW_UPDATE".to_owned()
            }
            other => format!("frame {other}"),
        };
        self.ended |= matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0;
        self.frames.push(word);
        Ok(())
    }
}

fn frame(kind: u8, flags: u8, id: u32, payload: &[u8]) -> Vec<u8> {
    // The payload never has more than MAX_PAYLOAD bytes.
    let length = (payload.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &id.to_be_bytes(), payload].concat()
}

/// Encodes a field without indexing, with literal name and value (RFC 7541 section 6.2.2).
fn literal(block: &mut Vec<u8>, name: &str, value: &str) {
    block.push(0);
    for text in [name, value] {
        // An integer with a prefix of seven bits (RFC 7541 section 5.1).
        let mut length = text.len();
        if length < 127 {
            block.push(length as u8);
        } else {
            block.push(127);
            length -= 127;
            while length >= 128 {
                block.push((length % 128 + 128) as u8);
                length /= 128;
            }
            block.push(length as u8);
        }
        block.extend_from_slice(text.as_bytes());
    }
}

/// Returns the status in a field block: its first field, after any size updates of the table.
///
/// It must be an entry of RFC 7541's static table, or a number without Huffman coding.
fn status(block: &[u8]) -> Option<u16> {
    let mut block = block;
    while let [first, rest @ ..] = block
        && first & 0xe0 == 0x20
    {
        block = rest;
    }
    match block {
        [0x88, ..] => Some(200),
        [0x89, ..] => Some(204),
        [0x8a, ..] => Some(206),
        [0x8b, ..] => Some(304),
        [0x8c, ..] => Some(400),
        [0x8d, ..] => Some(404),
        [0x8e, ..] => Some(500),
        [0x08 | 0x18 | 0x48, 3, digits @ ..] => std::str::from_utf8(digits.get(..3)?).ok()?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_after_size_updates_of_the_table() {
        assert_eq!(status(&[0x20, 0x88, 0]), Some(200));
        assert_eq!(status(&[0x48, 3, b'4', b'2', b'9']), Some(429));
        assert_eq!(status(&[0x40]), None);
    }

    #[test]
    fn a_long_value_has_its_length_in_several_bytes() {
        let mut block = Vec::new();
        literal(&mut block, "a", &"x".repeat(300));
        assert_eq!(block[..6], [0, 1, b'a', 127, 173, 1]);
        assert_eq!(block.len(), 6 + 300);
    }
}
