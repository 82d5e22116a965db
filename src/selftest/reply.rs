//! Parses received bytes strictly as an HTTP/1.1 message (RFC 9112). It distinguishes errors that a library
//! would repair or refuse.

use std::ops::Range;

/// The bytes of a connection, parsed as a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedReply {
    /// The statuses of interim responses.
    pub interim: Vec<u16>,
    /// The final status; `None` if there is no readable head.
    pub status: Option<u16>,
    /// The position of the final head in the received bytes, with the empty line at its end.
    pub head: Range<usize>,
    /// The headers in order, with names in lower case. A folded line is part of the value before it.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// The state of the framing.
    pub framing: MessageFraming,
    /// The bytes after the end of the message.
    pub rest: Vec<u8>,
    /// The pieces of the body: the offset of each in the body, its offset in the received bytes, and its
    /// length.
    pieces: Vec<(usize, usize, usize)>,
}

/// The state of a message's framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageFraming {
    /// No byte arrived.
    Nothing,
    /// The bytes in place of a head are not a head.
    NoHead,
    /// The message is complete.
    Whole,
    /// The message is well-formed so far, but its end is missing.
    Cut,
    /// From some byte on the message cannot be parsed.
    Broken,
}

/// How to find the end of a body (RFC 9112 section 6.3).
enum Length {
    None,
    Bytes(usize),
    Chunked,
    UntilClose,
    /// The frames of a WebSocket up to the close frame.
    Frames,
    /// Two different lengths.
    Contradicted,
}

impl ParsedReply {
    /// Returns the result for no bytes.
    pub fn nothing() -> Self {
        Self {
            interim: Vec::new(),
            status: None,
            head: 0..0,
            headers: Vec::new(),
            body: Vec::new(),
            framing: MessageFraming::Nothing,
            rest: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// Parses bytes. `ended` is whether the connection has ended after them.
    pub fn read(bytes: &[u8], ended: bool) -> Self {
        let mut reply = Self::nothing();
        let mut at = 0;
        if bytes.is_empty() {
            return reply;
        }
        loop {
            let Some(length) = find(&bytes[at..], b"\r\n\r\n") else {
                let line = bytes[at..].split(|byte| *byte == b'\n').next().unwrap_or_default();
                let begun = b"HTTP/1.1 ".starts_with(line) || status(line).is_some();
                reply.framing = if begun { MessageFraming::Cut } else { MessageFraming::NoHead };
                return reply;
            };
            let end = at + length + 4;
            let Some((status, headers)) = head(&bytes[at..end]) else {
                reply.framing = MessageFraming::NoHead;
                return reply;
            };
            if (100..200).contains(&status) && status != 101 {
                reply.interim.push(status);
                at = end;
                if at == bytes.len() {
                    reply.framing = MessageFraming::Cut;
                    return reply;
                }
                continue;
            }
            reply.status = Some(status);
            reply.head = at..end;
            reply.headers = headers;
            at = end;
            break;
        }
        match reply.length() {
            Length::None => reply.finish(bytes, at),
            Length::Bytes(length) => {
                let end = bytes.len().min(at.saturating_add(length));
                reply.take(bytes, at..end);
                reply.framing = MessageFraming::Cut;
                if end - at == length {
                    reply.finish(bytes, end);
                }
            }
            Length::Frames => {
                let end = at + before_close_frame(&bytes[at..]);
                reply.take(bytes, at..end);
                reply.framing = MessageFraming::Cut;
                if end < bytes.len() {
                    reply.finish(bytes, end);
                }
            }
            Length::UntilClose => {
                reply.take(bytes, at..bytes.len());
                reply.framing = if ended { MessageFraming::Whole } else { MessageFraming::Cut };
            }
            Length::Contradicted => {
                reply.take(bytes, at..bytes.len());
                reply.framing = MessageFraming::Broken;
            }
            Length::Chunked => reply.chunks(bytes, at),
        }
        reply
    }

    /// Returns the result for HTTP/2: a status, pieces of the body with their positions, and whether the
    /// stream has ended.
    pub fn of_frames(status: Option<u16>, pieces: &[(usize, Vec<u8>)], ended: bool, bytes: usize) -> Self {
        let mut reply = Self { status, ..Self::nothing() };
        for (raw, piece) in pieces {
            reply.pieces.push((reply.body.len(), *raw, piece.len()));
            reply.body.extend_from_slice(piece);
        }
        reply.framing = match (status, ended) {
            (Some(_), true) => MessageFraming::Whole,
            (None, _) if bytes == 0 => MessageFraming::Nothing,
            _ => MessageFraming::Cut,
        };
        reply
    }

    /// Returns the values of a header in order. `name` must be in lower case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Returns the position in the received bytes of a byte of the body.
    pub fn place(&self, offset: usize) -> Option<usize> {
        self.pieces
            .iter()
            .find(|(body, _, length)| (*body..body + length).contains(&offset))
            .map(|(body, raw, _)| raw + offset - body)
    }

    /// Returns the number of bytes of the body before a position in the received bytes.
    pub fn offset(&self, place: usize) -> usize {
        self.pieces.iter().map(|(_, raw, length)| place.saturating_sub(*raw).min(*length)).sum()
    }

    fn length(&self) -> Length {
        let codings = self.all("transfer-encoding");
        let lengths = self.all("content-length");
        if self.status == Some(101) {
            return Length::Frames;
        }
        if matches!(self.status, Some(204 | 304)) {
            return Length::None;
        }
        if let Some(last) = codings.last() {
            return if last.eq_ignore_ascii_case("chunked") { Length::Chunked } else { Length::UntilClose };
        }
        match lengths.as_slice() {
            [] => Length::UntilClose,
            [first, others @ ..] if others.iter().any(|other| other != first) => Length::Contradicted,
            [first, ..] => first.parse().map_or(Length::Contradicted, Length::Bytes),
        }
    }

    fn take(&mut self, bytes: &[u8], range: Range<usize>) {
        if !range.is_empty() {
            self.pieces.push((self.body.len(), range.start, range.len()));
            self.body.extend_from_slice(&bytes[range]);
        }
    }

    fn finish(&mut self, bytes: &[u8], end: usize) {
        self.framing = MessageFraming::Whole;
        self.rest = bytes[end..].to_vec();
    }

    /// Parses a chunked body (RFC 9112 section 7.1). The mocks never send trailers.
    fn chunks(&mut self, bytes: &[u8], mut at: usize) {
        self.framing = MessageFraming::Cut;
        while let Some(length) = find(&bytes[at..], b"\r\n") {
            let size = std::str::from_utf8(&bytes[at..at + length])
                .ok()
                .filter(|size| !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit()))
                .and_then(|size| usize::from_str_radix(size, 16).ok());
            let Some(size) = size else {
                self.framing = MessageFraming::Broken;
                self.rest = bytes[at..].to_vec();
                return;
            };
            let data = at + length + 2;
            if size == 0 {
                return match bytes.get(data..data + 2) {
                    Some(b"\r\n") => self.finish(bytes, data + 2),
                    Some(_) => self.framing = MessageFraming::Broken,
                    None => {}
                };
            }
            let end = data.saturating_add(size);
            self.take(bytes, data..end.min(bytes.len()));
            match bytes.get(end..end.saturating_add(2)) {
                Some(b"\r\n") => at = end + 2,
                Some(_) => {
                    self.framing = MessageFraming::Broken;
                    return;
                }
                None => return,
            }
        }
        // An incomplete size that does not begin with a digit.
        if bytes[at..].first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            self.framing = MessageFraming::Broken;
            self.rest = bytes[at..].to_vec();
        }
    }
}

/// Returns the number of bytes before a close frame, or of all bytes if there is none.
fn before_close_frame(bytes: &[u8]) -> usize {
    let mut at = 0;
    // A frame from a server: its type, then its length in one, three or nine bytes (RFC 6455 section 5.2).
    while let [kind, length, rest @ ..] = &bytes[at..] {
        const CLOSE: u8 = 0x88;
        if *kind == CLOSE {
            return at;
        }
        let (head, length) = match (length, rest) {
            (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            (127, [_, _, _, _, a, b, c, d, ..]) => (10, u32::from_be_bytes([*a, *b, *c, *d]) as usize),
            (length, _) => (2, usize::from(*length)),
        };
        at = at.saturating_add(head).saturating_add(length);
        if at >= bytes.len() {
            break;
        }
    }
    bytes.len()
}

/// Parses a status line: `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let rest = line.strip_prefix(b"HTTP/1.1 ")?;
    let digits = rest.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    if rest.get(3).is_some_and(|byte| *byte != b' ') {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Parses the status and the headers. Returns `None` if the first line is not a status line.
fn head(bytes: &[u8]) -> Option<(u16, Vec<(String, String)>)> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let status = status(lines.next()?.as_bytes())?;
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        match (line.strip_prefix([' ', '\t']), headers.last_mut()) {
            (Some(more), Some((_, value))) => {
                value.push(' ');
                value.push_str(more.trim());
            }
            _ => {
                let (name, value) = line.split_once(':').unwrap_or((line, ""));
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
    }
    Some((status, headers))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ParsedReply {
        ParsedReply::read(text.as_bytes(), true)
    }

    #[test]
    fn a_message_is_whole_only_if_its_framing_says_so() {
        for (text, framing, body, rest) in [
            ("", MessageFraming::Nothing, "", ""),
            ("HTTP/1.1 200 OK\r\ncontent-le", MessageFraming::Cut, "", ""),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabcd", MessageFraming::Whole, "abc", "d"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabcd", MessageFraming::Cut, "abcd", ""),
            ("HTTP/1.1 200 OK\r\n\r\nabcd", MessageFraming::Whole, "abcd", ""),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nab", MessageFraming::Whole, "", "ab"),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nContent-Length: 2\r\n\r\nab",
                MessageFraming::Broken,
                "ab",
                "",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
                MessageFraming::Whole,
                "abc",
                "",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
                MessageFraming::Cut,
                "ab",
                "",
            ),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nab", MessageFraming::Cut, "ab", ""),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n",
                MessageFraming::Broken,
                "ab",
                "zz\r\n",
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{\"a\":1}",
                MessageFraming::Broken,
                "",
                "{\"a\":1}",
            ),
            ("SSH-2.0-x\r\nfoo: bar\r\n\r\nabc", MessageFraming::NoHead, "", ""),
            ("HTTP/1.1 20 OK\r\n\r\n", MessageFraming::NoHead, "", ""),
        ] {
            let reply = read(text);
            let got =
                (reply.framing, String::from_utf8_lossy(&reply.body), String::from_utf8_lossy(&reply.rest));
            assert_eq!(got, (framing, body.into(), rest.into()), "{text}");
        }
    }

    #[test]
    fn a_body_that_ends_with_the_connection_is_not_whole_before_that() {
        assert_eq!(ParsedReply::read(b"HTTP/1.1 200 OK\r\n\r\nabcd", false).framing, MessageFraming::Cut);
    }

    #[test]
    fn interim_responses_come_before_the_final_one() {
        let reply =
            read("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert_eq!((reply.interim.as_slice(), reply.status), (&[103][..], Some(200)));
        assert_eq!(reply.framing, MessageFraming::Whole);
    }

    #[test]
    fn headers_keep_their_order_duplicates_and_folded_lines() {
        let reply = read("HTTP/1.1 200 OK\r\nX-A: 1\r\nx-b: one\r\n two\r\nx-a: 3\r\n\r\n");
        assert_eq!(reply.all("x-a"), ["1", "3"]);
        assert_eq!(reply.all("x-b"), ["one two"]);
    }

    #[test]
    fn positions_in_the_body_and_in_the_received_bytes_differ() {
        let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        let reply = read(text);
        let c = text.find('c').map(|_| text.rfind("c\r\n0").unwrap());
        assert_eq!(reply.place(2), c);
        assert_eq!(reply.offset(c.unwrap()), 2);
        assert_eq!(reply.offset(text.len()), 3);
        assert_eq!(reply.place(3), None);
    }
}
