//! Several faults in one list, which all take effect.

use super::points::{before, millis, offset};
use crate::{
    scenario::{ConnectionFault, ErrorName, Fault, Http1Fault, Point, Transport},
    selftest::{Before, ClientView, ConnectionEnd, Exhibit, FaultLayer, MessageFraming, WireClaim},
};

fn stream(faults: impl Into<Vec<Fault>>, seen: ClientView) -> Exhibit {
    Exhibit::stream(FaultLayer::Combined, faults, seen)
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    let (short, at) = (millis(80), Point::AfterEvents(3));
    let first = Point::BeforeHeaders;
    let whole = ClientView::Whole { status: 200 };
    vec![
        stream(
            [
                Fault::Delay { at: first, lasting: short },
                Fault::Drip { bytes_per_second: 20_000 },
                Fault::Reset { at },
            ],
            ClientView::BrokenAfterHead,
        )
        .ending(ConnectionEnd::Reset)
        .claim(WireClaim::body("the first 3 events", move |base| before(base, at)))
        .claim(WireClaim::framing(MessageFraming::Cut))
        .claim(WireClaim::waits(short, |_| Before::FirstByte)),
        stream(
            [
                Fault::Connection(ConnectionFault::SlowAccept(short)),
                Fault::Delay { at: first, lasting: short },
                Fault::Close { at },
            ],
            ClientView::BrokenAfterHead,
        )
        .ending(ConnectionEnd::Fin)
        .claim(WireClaim::body("the first 3 events", move |base| before(base, at)))
        .claim(WireClaim::waits(2 * short, |_| Before::FirstByte)),
        stream(
            [
                Fault::Delay { at: first, lasting: short },
                Fault::Stall { at, lasting: Some(short) },
                Fault::Delay { at: Point::BeforeEnd, lasting: short },
            ],
            whole,
        )
        .open()
        .claim(WireClaim::whole_body())
        .claim(WireClaim::waits(short, |_| Before::FirstByte))
        .claim(WireClaim::waits(2 * short, move |base| Before::Byte(offset(base, at))))
        .claim(WireClaim::waits(3 * short, |base| Before::Byte(offset(base, Point::BeforeEnd)))),
        stream([Fault::Crlf, Fault::Split { bytes: 3 }, Fault::DropTerminator], whole)
            .open()
            .claim(WireClaim::framing(MessageFraming::Whole))
            .claim(WireClaim::body("every event with CR LF, without the terminator", |base| {
                String::from_utf8_lossy(&base.events().concat()).replace('\n', "\r\n").into_bytes()
            }))
            .claim(WireClaim::packets("after every 3 bytes", |_, cut| cut.is_multiple_of(3))),
        stream(
            [
                Fault::Comment { at: Point::AfterHeaders },
                Fault::ErrorEvent { error: ErrorName::Internal, at: Point::BeforeEnd, form: None },
                Fault::Http1(Http1Fault::MissingLastChunk),
            ],
            ClientView::BrokenAfterHead,
        )
        .ending(ConnectionEnd::Fin)
        .claim(WireClaim::framing(MessageFraming::Cut))
        .claim(WireClaim::that("the body is a comment, every event, and the error", |view| {
            let text = String::from_utf8_lossy(&view.reply().body).into_owned();
            let events = view.base.events().concat();
            text.starts_with(':')
                && text.contains(&*String::from_utf8_lossy(&events))
                && text.contains(&view.base.canaries.message)
        })),
        stream(
            [Fault::Delay { at: first, lasting: short }, Fault::Reset { at }],
            ClientView::BrokenAfterHead,
        )
        .over(Transport::Tls)
        .note("over TLS")
        .ending(ConnectionEnd::Reset)
        .claim(WireClaim::body("the first 3 events", move |base| before(base, at)))
        .claim(WireClaim::waits(short, |_| Before::FirstByte)),
        stream([Fault::Delay { at: Point::BeforeEnd, lasting: short }], whole)
            .over(Transport::Http2)
            .note("over HTTP/2")
            .open()
            .claim(WireClaim::whole_body())
            .claim(WireClaim::waits(short, |base| Before::Byte(offset(base, Point::BeforeEnd)))),
    ]
}
