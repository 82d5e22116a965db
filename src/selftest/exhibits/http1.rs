//! Messages that violate RFC 9112, or are unusual.

use super::points::{POINTS, before};
use crate::{
    scenario::{Fault, Http1Fault, Point},
    selftest::{ClientView, ConnectionEnd, Exhibit, FaultLayer, MessageFraming, ParsedReply, WireClaim},
};

const WHOLE: ClientView = ClientView::Whole { status: 200 };

/// The size of the large header: more than many servers and clients accept.
const HEADER: u32 = 64 * 1024;

fn stream(fault: Http1Fault, seen: ClientView) -> Exhibit {
    Exhibit::stream(FaultLayer::Http1, [Fault::Http1(fault)], seen)
}

fn plain(fault: Http1Fault, seen: ClientView) -> Exhibit {
    Exhibit::plain(FaultLayer::Http1, [Fault::Http1(fault)], seen)
}

fn lengths(reply: &ParsedReply) -> Vec<usize> {
    reply.all("content-length").into_iter().filter_map(|length| length.parse().ok()).collect()
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    [heads(), framings(), chunks()].concat()
}

fn heads() -> Vec<Exhibit> {
    let mut exhibits = vec![
        stream(Http1Fault::GarbageStatusLine, ClientView::BrokenBeforeHead)
            .ending(ConnectionEnd::Fin)
            .claim(WireClaim::framing(MessageFraming::NoHead))
            .claim(WireClaim::that("bytes arrive and do not begin with a status line", |view| {
                let bytes = view.transcript.bytes();
                !bytes.is_empty() && !bytes.starts_with(b"HTTP/")
            })),
        unknown_status(600),
        unknown_status(999),
        stream(Http1Fault::OversizedHeader(HEADER), ClientView::Doubtful)
            .open()
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Whole))
            .claim(WireClaim::that("one header has 65536 bytes", |view| {
                let widest = view.reply().headers.iter().map(|(_, value)| value.len()).max();
                widest.is_some_and(|bytes| (HEADER as usize..HEADER as usize + 100).contains(&bytes))
            })),
        stream(Http1Fault::FoldedHeader, ClientView::Doubtful)
            .open()
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Whole))
            .claim(WireClaim::that("a line of the head begins with whitespace", |view| {
                view.head().windows(3).any(|bytes| matches!(bytes, b"\r\n " | b"\r\n\t"))
            })),
        stream(Http1Fault::DuplicatedHeader, ClientView::Doubtful)
            .open()
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Whole))
            .claim(WireClaim::that(
                "Content-Type is specified twice, with different values",
                |view| matches!(view.reply().all("content-type")[..], [first, second] if first != second),
            )),
    ];
    exhibits.extend([100, 102, 103].map(|status| {
        stream(Http1Fault::Interim(status), WHOLE)
            .open()
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Whole))
            .claim(WireClaim::that(format!("one {status} arrives before the 200"), move |view| {
                view.reply().interim == [status]
            }))
    }));
    exhibits
}

fn unknown_status(status: u16) -> Exhibit {
    plain(Http1Fault::UnknownStatus(status), ClientView::Whole { status })
        .open()
        .claim(WireClaim::whole_body())
        .claim(WireClaim::that(format!("the status line says {status}"), move |view| {
            view.head().starts_with(format!("HTTP/1.1 {status} ").as_bytes())
        }))
}

fn framings() -> Vec<Exhibit> {
    vec![
        plain(Http1Fault::ConflictingContentLength, ClientView::BrokenAfterHead)
            .open()
            .claim(WireClaim::framing(MessageFraming::Broken))
            .claim(WireClaim::whole_body())
            .claim(WireClaim::that(
                "Content-Length is specified twice, with different values",
                |view| matches!(lengths(view.reply())[..], [first, second] if first != second),
            )),
        plain(Http1Fault::ShortContentLength, ClientView::Whole { status: 200 })
            .open()
            .claim(WireClaim::that("Content-Length is half of the body", |view| {
                lengths(view.reply()) == [view.base.body().len() / 2]
            }))
            .claim(WireClaim::that("the other half arrives after the end", |view| {
                [&view.reply().body[..], &view.reply().rest].concat() == view.base.body()
            })),
        plain(Http1Fault::LongContentLength, ClientView::BrokenAfterHead)
            .ending(ConnectionEnd::Fin)
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Cut))
            .claim(WireClaim::that("Content-Length is twice the body", |view| {
                lengths(view.reply()) == [view.base.body().len() * 2]
            })),
        plain(Http1Fault::ChunkedNotSent, ClientView::BrokenAfterHead)
            .ending(ConnectionEnd::Fin)
            .claim(WireClaim::framing(MessageFraming::Broken))
            .claim(WireClaim::header("transfer-encoding", &["chunked"]))
            .claim(WireClaim::that("the body arrives without chunks", |view| {
                view.reply().rest == view.base.body()
            })),
        plain(Http1Fault::UnknownTransferEncoding, ClientView::Doubtful)
            .ending(ConnectionEnd::Fin)
            .claim(WireClaim::whole_body())
            .claim(WireClaim::that(
                "Transfer-Encoding is a coding other than chunked",
                |view| matches!(view.reply().all("transfer-encoding")[..], [coding] if coding != "chunked"),
            )),
        plain(Http1Fault::TrailingBytes, ClientView::Doubtful)
            .open()
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Whole))
            .claim(WireClaim::that("bytes arrive after the end", |view| !view.reply().rest.is_empty())),
        stream(Http1Fault::TrailingBytes, ClientView::Doubtful)
            .open()
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Whole))
            .claim(WireClaim::that("bytes arrive after the end", |view| !view.reply().rest.is_empty())),
        bodiless(Http1Fault::BodyOn204, 204),
        bodiless(Http1Fault::BodyOn304, 304),
    ]
}

fn bodiless(fault: Http1Fault, status: u16) -> Exhibit {
    plain(fault, ClientView::Whole { status }).open().claim(WireClaim::framing(MessageFraming::Whole)).claim(
        WireClaim::that("the body arrives after the end of the message, which has no body", |view| {
            view.reply().rest == view.base.body()
        }),
    )
}

fn chunks() -> Vec<Exhibit> {
    let mut exhibits: Vec<_> = POINTS
        .into_iter()
        .filter(|at| *at != Point::BeforeHeaders)
        .map(|at| {
            stream(Http1Fault::BadChunkSize { at }, ClientView::BrokenAfterHead)
                .ending(ConnectionEnd::Fin)
                .claim(WireClaim::framing(MessageFraming::Broken))
                .claim(WireClaim::body("everything before the point", move |base| before(base, at)))
        })
        .collect();
    exhibits.push(
        stream(Http1Fault::MissingLastChunk, ClientView::BrokenAfterHead)
            .ending(ConnectionEnd::Fin)
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Cut))
            .claim(WireClaim::that("the last chunk is missing", |view| {
                !view.transcript.bytes().ends_with(b"0\r\n\r\n")
            })),
    );
    exhibits
}
