//! Parses the head of an HTTP/1 request, and decides how its body is delimited (RFC 9112).

use std::{borrow::Cow, mem::MaybeUninit};

use http::{StatusCode, Uri, Version};

use crate::provider::Header;

/// The largest head in bytes.
const MAX_HEAD: usize = 408 * 1024;

/// The largest number of headers.
const MAX_HEADERS: usize = 100;

/// The longest request target in bytes.
const MAX_TARGET: usize = 64 * 1024 - 2;

/// A parsed head.
pub(super) struct RequestHead<'a> {
    pub(super) method: &'a str,
    /// The request target as it was sent.
    pub(super) target: &'a str,
    /// The path of the target with its query; `/` if the target has none.
    pub(super) path: Cow<'a, str>,
    pub(super) headers: &'a [Header<'a>],
    pub(super) body: BodyLength,
    /// Whether the client waits for a 100 before it sends the body.
    pub(super) awaits_continue: bool,
    pub(super) form: ReplyForm,
    /// The head as it was sent.
    pub(super) bytes: &'a [u8],
}

/// How the body of a request is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    Known(u64),
    Chunked,
}

/// What the form of a reply depends on in its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplyForm {
    /// The version of the request, which the reply has too.
    pub(super) version: Version,
    /// Whether the client accepts that the connection stays open.
    pub(super) keep_alive: bool,
    /// Whether the reply must not have a body.
    pub(super) head_only: bool,
}

impl ReplyForm {
    /// The usual form: HTTP/1.1 on a connection that stays open.
    pub(super) const PERSISTENT: Self =
        Self { version: Version::HTTP_11, keep_alive: true, head_only: false };
}

/// Parses the head at the beginning of `bytes` and passes it to `then`. Returns `None` if it is incomplete.
///
/// # Errors
/// The status of the response to bytes that are not an acceptable head.
pub(super) fn parse<T>(
    bytes: &[u8],
    then: impl FnOnce(&RequestHead<'_>) -> T,
) -> Result<Option<T>, StatusCode> {
    let mut room = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(bytes, &mut room) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
        Err(_) => return Err(StatusCode::BAD_REQUEST),
    };
    let (Some(method), Some(target), Some(version)) = (request.method, request.path, request.version) else {
        return Err(StatusCode::BAD_REQUEST);
    };
    if length > MAX_HEAD {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    }
    if target.len() > MAX_TARGET {
        return Err(StatusCode::URI_TOO_LONG);
    }
    let path = path(target).ok_or(StatusCode::BAD_REQUEST)?;
    let old = version == 0;
    let fields = Fields::read(request.headers, old).ok_or(StatusCode::BAD_REQUEST)?;
    let form = ReplyForm {
        version: if old { Version::HTTP_10 } else { Version::HTTP_11 },
        keep_alive: fields.keep_alive,
        head_only: method == "HEAD",
    };
    Ok(Some(then(&RequestHead {
        method,
        target,
        path,
        headers: request.headers,
        body: fields.body,
        awaits_continue: fields.awaits_continue && !old,
        form,
        bytes: &bytes[..length],
    })))
}

/// Returns the path and the query of a request target (RFC 9112 section 3.2); `None` if it is not a valid one.
fn path(target: &str) -> Option<Cow<'_, str>> {
    // Almost every target is a path without special characters.
    let is_plain = |byte| matches!(byte, b'!' | b'$'..=b';' | b'=' | b'?'..=b'Z' | b'_' | b'a'..=b'z' | b'~');
    if target.starts_with('/') && target.bytes().all(is_plain) {
        return Some(Cow::Borrowed(target));
    }
    let uri: Uri = target.parse().ok()?;
    Some(Cow::Owned(uri.path_and_query().map_or("/", |path| path.as_str()).to_owned()))
}

/// What the headers say about the message itself.
struct Fields {
    body: BodyLength,
    keep_alive: bool,
    awaits_continue: bool,
}

impl Fields {
    /// Returns `None` if the headers contradict each other: servers before and after this one could then find
    /// different ends of the request (RFC 9112 sections 6.3 and 11.2).
    fn read(headers: &[Header<'_>], old: bool) -> Option<Self> {
        let (mut length, mut chunked) = (None, None);
        let (mut close, mut keep) = (false, false);
        let mut awaits_continue = false;
        for Header { name, value } in headers {
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted);
            match name.len() {
                14 if is("content-length") => {
                    let declared = decimal(value)?;
                    if length.is_some_and(|length| length != declared) {
                        return None;
                    }
                    length = Some(declared);
                }
                17 if is("transfer-encoding") => {
                    let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default();
                    chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
                }
                10 if is("connection") => {
                    for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                        close |= option.eq_ignore_ascii_case(b"close");
                        keep |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                6 if is("expect") => awaits_continue = value.eq_ignore_ascii_case(b"100-continue"),
                _ => {}
            }
        }
        let body = match (length, chunked) {
            (length, None) => BodyLength::Known(length.unwrap_or(0)),
            (None, Some(true)) if !old => BodyLength::Chunked,
            _ => return None,
        };
        Some(Self { body, keep_alive: !close && (keep || !old), awaits_continue })
    }
}

/// Parses a number that consists only of digits.
fn decimal(text: &[u8]) -> Option<u64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    let add = |number: u64, byte| number.checked_mul(10)?.checked_add(digit(byte)?);
    if text.is_empty() { None } else { text.iter().try_fold(0, add) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(request: &str) -> Result<Option<(BodyLength, bool)>, u16> {
        parse(request.as_bytes(), |head| (head.body, head.form.keep_alive)).map_err(|status| status.as_u16())
    }

    fn with(headers: &[&str]) -> Result<Option<(BodyLength, bool)>, u16> {
        read(&format!("POST /a HTTP/1.1\r\n{}\r\n\r\n", headers.join("\r\n")))
    }

    #[test]
    fn a_body_has_exactly_one_delimiter() {
        let known = |length| Ok(Some((BodyLength::Known(length), true)));
        for (headers, expected) in [
            (&["a: b"][..], known(0)),
            (&["content-length: 7"], known(7)),
            (&["Content-Length: 7", "content-length: 7"], known(7)),
            (&["Content-Length: 7", "content-length: 8"], Err(400)),
            (&["content-length: 7, 7"], Err(400)),
            (&["content-length: +7"], Err(400)),
            (&["content-length: 0x7"], Err(400)),
            (&["content-length:"], Err(400)),
            (&["content-length: 99999999999999999999"], Err(400)),
            (&["transfer-encoding: chunked"], Ok(Some((BodyLength::Chunked, true)))),
            (&["Transfer-Encoding: gzip, Chunked"], Ok(Some((BodyLength::Chunked, true)))),
            (
                &["transfer-encoding: gzip", "transfer-encoding: chunked"],
                Ok(Some((BodyLength::Chunked, true))),
            ),
            (&["transfer-encoding: chunked, gzip"], Err(400)),
            (&["transfer-encoding: chunked", "transfer-encoding: identity"], Err(400)),
            (&["transfer-encoding: xchunked"], Err(400)),
            (&["transfer-encoding: chunked", "content-length: 7"], Err(400)),
            (&["content-length: 7", "transfer-encoding: chunked"], Err(400)),
            (&["transfer-encoding : chunked"], Err(400)),
            (&["a: b\r\n c"], Err(400)),
        ] {
            assert_eq!(with(headers), expected, "{headers:?}");
        }
        let old = "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(read(old), Err(400), "HTTP/1.0 has no chunks");
    }

    #[test]
    fn a_connection_stays_open_unless_one_side_does_not_want_it() {
        let keeps = |version: &str, headers: &str| {
            let head = format!("GET / HTTP/{version}\r\n{headers}\r\n");
            read(&head).unwrap().unwrap().1
        };
        assert!(keeps("1.1", "") && keeps("1.1", "connection: foo\r\n"));
        assert!(!keeps("1.1", "Connection: foo, CLOSE\r\n"));
        assert!(!keeps("1.1", "connection: close\r\nconnection: keep-alive\r\n"));
        assert!(!keeps("1.0", "") && keeps("1.0", "connection: Keep-Alive\r\n"));
    }

    #[test]
    fn the_path_is_found_in_every_form_of_target() {
        for (target, expected) in [
            ("/a/b?c=%20", Some("/a/b?c=%20")),
            ("/a#b", Some("/a")),
            ("http://host:1/a?b", Some("/a?b")),
            ("http://host", Some("/")),
            ("host:1", Some("/")),
            ("*", Some("*")),
            ("a/b", None),
            ("/a<", None),
        ] {
            assert_eq!(path(target).as_deref(), expected, "{target}");
        }
    }

    #[test]
    fn a_head_above_a_limit_gets_the_status_for_it() {
        let many = vec!["a: b"; MAX_HEADERS + 1];
        assert!(with(&many[1..]).is_ok());
        assert_eq!(with(&many), Err(431));
        let long = format!("a: {}", "b".repeat(MAX_HEAD));
        assert_eq!(with(&[&long]), Err(431));
        assert_eq!(read(&format!("GET / HTTP/1.1\r\n{long}")), Err(431), "even if it is incomplete");
        assert_eq!(read(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(MAX_TARGET))), Err(414));
        assert_eq!(read("GET / HTTP/1.1\r\na"), Ok(None));
    }
}
