//! Writes HTTP/1 replies into memory (RFC 9112 sections 4 to 7).

use std::{
    cell::RefCell,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Response, StatusCode, Version, header::CONTENT_LENGTH};

use super::request_head::ReplyForm;
use crate::fault::{Framing, Head};

/// How the client finds the end of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WrittenHead {
    pub(super) framing: Framing,
    /// Whether the connection ends after the reply.
    pub(super) last: bool,
    /// Whether the head contains a date.
    pub(super) dated: bool,
}

/// Writes the head of a plan.
pub(super) fn write_head(head: &Head, form: ReplyForm, out: &mut Vec<u8>) -> WrittenHead {
    let written = write_fields(head, form, out);
    end_head(written.dated, out);
    written
}

/// Writes the head of a plan without its end.
pub(super) fn write_fields(head: &Head, form: ReplyForm, out: &mut Vec<u8>) -> WrittenHead {
    write_status(head.status, form.version, out);
    let (mut closes, mut dated) = (false, false);
    for (name, value) in &head.headers {
        let name: &str = name;
        write_field(name.as_bytes(), value.as_bytes(), out);
        closes |= name == "connection" && value == "close";
        dated |= name == "date";
    }
    for line in &head.lines {
        out.extend_from_slice(line);
    }
    // HTTP/1.0 has no chunks: there the body ends with the connection.
    let framing = match head.framing {
        Framing::Chunked if form.version == Version::HTTP_10 => Framing::UntilClose,
        framing => framing,
    };
    let last = closes || !form.keep_alive || framing == Framing::UntilClose;
    if !closes && framing != Framing::WebSocket {
        write_connection(form, last, out);
    }
    match framing {
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::Length(length) => write_length(length, out),
        Framing::UntilClose | Framing::WebSocket | Framing::None => {}
    }
    WrittenHead { framing, last, dated }
}

/// Ends a head with the date, unless it has one already.
pub(super) fn end_head(dated: bool, out: &mut Vec<u8>) {
    if !dated {
        write_date(out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes bytes of the body.
pub(super) fn write_body(bytes: &[u8], framing: Framing, out: &mut Vec<u8>) {
    if framing == Framing::Chunked {
        write_number(bytes.len() as u64, 16, out);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(bytes);
        out.extend_from_slice(b"\r\n");
    } else {
        out.extend_from_slice(bytes);
    }
}

/// Writes the end of the body.
pub(super) fn end_body(framing: Framing, out: &mut Vec<u8>) {
    if framing == Framing::Chunked {
        out.extend_from_slice(b"0\r\n\r\n");
    }
}

/// Writes a whole response that does not come from a deployment. Returns whether it is the last one.
pub(super) fn write_response(response: &Response<Bytes>, form: ReplyForm, out: &mut Vec<u8>) -> bool {
    let (status, body) = (response.status(), response.body());
    write_status(status.as_u16(), form.version, out);
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    for (name, value) in response.headers().iter().filter(|(name, _)| !bodiless || *name != CONTENT_LENGTH) {
        write_field(name.as_str().as_bytes(), value.as_bytes(), out);
    }
    // The response to HEAD has the length of the body that it does not contain.
    if !bodiless && !response.headers().contains_key(CONTENT_LENGTH) {
        write_length(body.len() as u64, out);
    }
    write_connection(form, !form.keep_alive, out);
    end_head(false, out);
    if !bodiless && !form.head_only {
        out.extend_from_slice(body);
    }
    !form.keep_alive
}

/// Writes the response to bytes that are not a request.
pub(super) fn write_refusal(status: StatusCode, out: &mut Vec<u8>) {
    write_status(status.as_u16(), Version::HTTP_11, out);
    out.extend_from_slice(b"connection: close\r\ncontent-length: 0\r\n");
    end_head(false, out);
}

fn write_status(status: u16, version: Version, out: &mut Vec<u8>) {
    out.extend_from_slice(if version == Version::HTTP_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    let known = StatusCode::from_u16(status).ok();
    let reason = known.and_then(|status| status.canonical_reason()).unwrap_or("<none>");
    write_number(u64::from(status), 10, out);
    out.push(b' ');
    out.extend_from_slice(reason.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn write_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn write_length(length: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"content-length: ");
    write_number(length, 10, out);
    out.extend_from_slice(b"\r\n");
}

/// Writes a number in base 10 or 16, in a fraction of the time of the standard library's formatter.
fn write_number(mut number: u64, base: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b"0123456789ABCDEF"[(number % base) as usize];
        number /= base;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

/// Says what differs from the default of the version: HTTP/1.1 keeps connections open, HTTP/1.0 does not.
fn write_connection(form: ReplyForm, last: bool, out: &mut Vec<u8>) {
    match (form.version, last) {
        (Version::HTTP_10, false) => out.extend_from_slice(b"connection: keep-alive\r\n"),
        (Version::HTTP_10, true) | (_, false) => {}
        (_, true) => out.extend_from_slice(b"connection: close\r\n"),
    }
}

/// The second for which a line with the date was formatted, and the line.
type DateLine = (u64, Vec<u8>);

fn write_date(out: &mut Vec<u8>) {
    thread_local! {
        static LINE: RefCell<DateLine> = const { RefCell::new((0, Vec::new())) };
    }
    let second = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    LINE.with_borrow_mut(|(formatted, line)| {
        if *formatted != second {
            *formatted = second;
            let date = httpdate::HttpDate::from(SystemTime::UNIX_EPOCH + Duration::from_secs(second));
            *line = format!("date: {date}\r\n").into_bytes();
        }
        out.extend_from_slice(line);
    });
}
