//! Reads what came over a connection as an HTTP/1.1 message (RFC 9112), to the letter: what a
//! library would mend or refuse is told apart here.

use std::ops::Range;

/// What the bytes of a connection come to as a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedReply {
    /// The statuses of interim replies.
    pub interim: Vec<u16>,
    /// The final status; `None` where no head came or none can be read.
    pub status: Option<u16>,
    /// Where the final head lies in what came, with the empty line at its end.
    pub head: Range<usize>,
    /// Its headers in order, names in lower case; a folded line belongs to the one before it.
    pub headers: Vec<(String, String)>,
    /// The body, without its framing.
    pub body: Vec<u8>,
    /// What became of the framing.
    pub framing: MessageFraming,
    /// Bytes behind the end of the message.
    pub rest: Vec<u8>,
    /// Pieces of the body: where each begins in the body, where in what came, and how long it is.
    pieces: Vec<(usize, usize, usize)>,
}

/// What can be said of a message's framing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageFraming {
    /// No byte came.
    Nothing,
    /// What stands in place of a head is none.
    NoHead,
    /// The message is complete.
    Whole,
    /// It is well-formed as far as it goes, and lacks its end.
    Cut,
    /// From some byte on nobody can say what it means.
    Broken,
}

/// How the end of a body is told (RFC 9112 section 6.3).
enum Length {
    None,
    Bytes(usize),
    Chunked,
    UntilClose,
    /// A WebSocket's, up to its close frame.
    Frames,
    /// Two lengths that do not agree.
    Contradicted,
}

impl ParsedReply {
    /// Of no bytes at all.
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

    /// Reads bytes; `ended` where nothing can follow them.
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

    /// Of HTTP/2: a status, pieces of a body with their places, and whether the stream was ended.
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

    /// The values of a header (its name in lower case), in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Where a byte of the body stands in what came.
    pub fn place(&self, offset: usize) -> Option<usize> {
        self.pieces
            .iter()
            .find(|(body, _, length)| (*body..body + length).contains(&offset))
            .map(|(body, raw, _)| raw + offset - body)
    }

    /// How many bytes of the body stand before a place in what came.
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

    /// A chunked body (RFC 9112 section 7.1). Nobody here sends trailers.
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
        // A size that does not end, and of which no digit is one.
        if bytes[at..].first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            self.framing = MessageFraming::Broken;
            self.rest = bytes[at..].to_vec();
        }
    }
}

/// How many bytes stand before a close frame, or in all where none comes.
fn before_close_frame(bytes: &[u8]) -> usize {
    let mut at = 0;
    // A server's frame: its kind, then its length in one, three or nine bytes (RFC 6455 section 5.2).
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

/// `HTTP/1.1 200 OK`
fn status(line: &[u8]) -> Option<u16> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let rest = line.strip_prefix(b"HTTP/1.1 ")?;
    let digits = rest.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    if rest.get(3).is_some_and(|byte| *byte != b' ') {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Status and headers; `None` where the first line is no status line.
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
    fn a_message_is_whole_only_where_its_framing_says_so() {
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
    fn without_an_end_a_body_that_ends_with_the_connection_is_not_whole() {
        assert_eq!(ParsedReply::read(b"HTTP/1.1 200 OK\r\n\r\nabcd", false).framing, MessageFraming::Cut);
    }

    #[test]
    fn interim_replies_come_before_the_final_one() {
        let reply =
            read("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        assert_eq!((reply.interim.as_slice(), reply.status), (&[103][..], Some(200)));
        assert_eq!(reply.framing, MessageFraming::Whole);
    }

    #[test]
    fn headers_keep_their_order_their_doubles_and_their_folds() {
        let reply = read("HTTP/1.1 200 OK\r\nX-A: 1\r\nx-b: one\r\n two\r\nx-a: 3\r\n\r\n");
        assert_eq!(reply.all("x-a"), ["1", "3"]);
        assert_eq!(reply.all("x-b"), ["one two"]);
    }

    #[test]
    fn a_place_in_the_body_and_one_in_what_came_are_told_from_each_other() {
        let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        let reply = read(text);
        let c = text.find('c').map(|_| text.rfind("c\r\n0").unwrap());
        assert_eq!(reply.place(2), c);
        assert_eq!(reply.offset(c.unwrap()), 2);
        assert_eq!(reply.offset(text.len()), 3);
        assert_eq!(reply.place(3), None);
    }
}
