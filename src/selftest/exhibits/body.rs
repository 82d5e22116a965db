//! Invalid bodies, and headers that do not match them.

use std::io::Read as _;

use flate2::read::{GzDecoder, ZlibDecoder};
use serde_json::Value;

use crate::{
    scenario::{ContentEncodingFault, ContentTypeFault, ErrorName, Fault, MalformedBody},
    selftest::{ClientView, Exhibit, ExhibitView, FaultLayer, MessageFraming, WireClaim},
};

const WHOLE: ClientView = ClientView::Whole { status: 200 };

/// Deeper than most JSON parsers accept.
const LEVELS: u32 = 1000;

/// More than a socket accepts in one write.
const LARGE: u32 = 1_000_000;

fn plain(fault: Fault, seen: ClientView) -> Exhibit {
    Exhibit::plain(FaultLayer::Body, [fault], seen).open().claim(WireClaim::framing(MessageFraming::Whole))
}

fn json(view: &ExhibitView<'_>) -> Option<Value> {
    serde_json::from_slice(&view.reply().body).ok()
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    [malformed(), encoded(), typed(), redirected()].concat()
}

fn malform(malform: MalformedBody, seen: ClientView) -> Exhibit {
    plain(Fault::Malform(malform), seen)
}

fn malformed() -> Vec<Exhibit> {
    vec![
        malform(MalformedBody::NotJson, WHOLE)
            .claim(WireClaim::that("the body is not JSON and not empty", |view| {
                json(view).is_none() && !view.reply().body.is_empty()
            }))
            .claim(WireClaim::header("content-type", &["application/json"])),
        malform(MalformedBody::Empty, WHOLE).claim(WireClaim::body("empty", |_| Vec::new())),
        malform(MalformedBody::Null, WHOLE).claim(WireClaim::body("null", |_| b"null".to_vec())),
        malform(MalformedBody::Html, WHOLE).claim(WireClaim::that(
            "the body is an HTML page, and Content-Type says so",
            |view| {
                view.reply().body.starts_with(b"<")
                    && view.reply().all("content-type").iter().all(|kind| kind.starts_with("text/html"))
            },
        )),
        malform(MalformedBody::CutJson, WHOLE)
            .claim(WireClaim::body("the first half of the answer", |base| {
                let body = base.body();
                body[..body.len() / 2].to_vec()
            }))
            .claim(WireClaim::that("the body is not JSON", |view| json(view).is_none())),
        malform(MalformedBody::Error(ErrorName::RateLimit), WHOLE).claim(WireClaim::that(
            "the body is an error with the canary of its message",
            |view| {
                json(view).is_some_and(|json| json.get("error").is_some())
                    && contains(&view.reply().body, view.base.canaries.message.as_bytes())
            },
        )),
        malform(MalformedBody::InvalidUtf8, ClientView::Doubtful).claim(WireClaim::that(
            "the body is the answer with additional bytes that are not UTF-8",
            |view| {
                let body = &view.reply().body;
                let valid: Vec<u8> = body.utf8_chunks().flat_map(|chunk| chunk.valid().bytes()).collect();
                valid == view.base.body() && valid.len() < body.len()
            },
        )),
        malform(MalformedBody::ByteOrderMark, ClientView::Doubtful)
            .claim(WireClaim::body("a byte order mark and the answer", |base| {
                [&b"\xef\xbb\xbf"[..], &base.body()].concat()
            })),
        malform(MalformedBody::DeepNesting(LEVELS), ClientView::Doubtful).claim(WireClaim::that(
            "the body contains a value that is nested 1000 levels deep",
            |view| {
                let body = &view.reply().body;
                depth(body) >= LEVELS as usize && depth(body) < LEVELS as usize + 8
            },
        )),
        malform(MalformedBody::VeryLarge(LARGE), ClientView::Doubtful).claim(WireClaim::that(
            "the body is a million bytes longer and still JSON",
            |view| {
                let more = view.reply().body.len().saturating_sub(view.base.body().len());
                json(view).is_some() && (LARGE as usize..LARGE as usize + 100).contains(&more)
            },
        )),
    ]
}

/// Returns how deep brackets are nested. No string in these bodies contains a bracket.
fn depth(body: &[u8]) -> usize {
    let mut open: usize = 0;
    let mut deepest = 0;
    for byte in body {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

fn encoded() -> Vec<Exhibit> {
    let encoding = |fault: ContentEncodingFault| {
        plain(Fault::ContentEncoding(fault), ClientView::Doubtful)
            .claim(WireClaim::header("content-encoding", &["gzip"]))
    };
    // The client of the selftest asks for no coding.
    let valid = |fault: ContentEncodingFault, name: &'static str, unpacked: fn(&[u8]) -> Option<Vec<u8>>| {
        plain(Fault::ContentEncoding(fault), ClientView::Doubtful)
            .claim(WireClaim::header("content-encoding", &[name]))
            .claim(WireClaim::that("the body decodes to the answer", move |view| {
                unpacked(&view.reply().body).is_some_and(|body| body == view.base.body())
            }))
    };
    vec![
        valid(ContentEncodingFault::Gzip, "gzip", unpacked),
        valid(ContentEncodingFault::Deflate, "deflate", |bytes| {
            let mut out = Vec::new();
            ZlibDecoder::new(bytes).read_to_end(&mut out).ok()?;
            Some(out)
        }),
        valid(ContentEncodingFault::Br, "br", |bytes| {
            // Each uncompressed meta-block has a head of three bytes, and one byte ends the body.
            let (last, stored) = bytes.split_last()?;
            Some(stored.get(3..)?.to_vec()).filter(|_| *last == 3)
        }),
        valid(ContentEncodingFault::Zstd, "zstd", |bytes| {
            let stored = bytes.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0x38])?;
            Some(stored.strip_suffix(&[1, 0, 0])?.get(3..)?.to_vec())
        }),
        encoding(ContentEncodingFault::GzipNotSent).claim(WireClaim::whole_body()),
        encoding(ContentEncodingFault::DoubleGzip).claim(WireClaim::that(
            "the body is the answer, compressed twice",
            |view| {
                let once = unpacked(&view.reply().body);
                once.and_then(|once| unpacked(&once)).is_some_and(|twice| twice == view.base.body())
            },
        )),
        encoding(ContentEncodingFault::CutGzip).claim(WireClaim::that(
            "the body begins as gzip and cannot be decompressed to its end",
            |view| view.reply().body.starts_with(&[0x1f, 0x8b]) && unpacked(&view.reply().body).is_none(),
        )),
    ]
}

fn unpacked(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut out).ok()?;
    Some(out)
}

fn typed() -> Vec<Exhibit> {
    let kind = |fault: ContentTypeFault| {
        plain(Fault::ContentType(fault), ClientView::Doubtful).claim(WireClaim::whole_body())
    };
    vec![
        kind(ContentTypeFault::Wrong).claim(WireClaim::header("content-type", &["text/html"])),
        kind(ContentTypeFault::WrongCharset)
            .claim(WireClaim::header("content-type", &["application/json; charset=utf-16"])),
        kind(ContentTypeFault::Missing).claim(WireClaim::header("content-type", &[])),
    ]
}

fn redirected() -> Vec<Exhibit> {
    [301, 302, 303, 307, 308]
        .map(|status| {
            plain(Fault::Redirect(status), ClientView::Whole { status }).claim(WireClaim::that(
                "Location has another host name",
                |view| {
                    matches!(view.reply().all("location")[..],
                        [place] if place.starts_with("http://localhost:"))
                },
            ))
        })
        .to_vec()
}
