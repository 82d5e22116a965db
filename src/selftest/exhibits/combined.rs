//! Several faults in one list: each does its part.

use super::catalogue::{before, millis, offset};
use crate::{
    scenario::{ConnectionFault, ErrorName, Fault, Http1Fault, Point, Transport},
    selftest::{Before, Claim, Ending, Exhibit, Family, Framing, Seen},
};

fn stream(faults: impl Into<Vec<Fault>>, seen: Seen) -> Exhibit {
    Exhibit::stream(Family::Combined, faults, seen)
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    let (short, at) = (millis(80), Point::AfterEvents(3));
    let first = Point::BeforeHeaders;
    let whole = Seen::Whole { status: 200 };
    vec![
        stream(
            [
                Fault::Delay { at: first, lasting: short },
                Fault::Drip { bytes_per_second: 20_000 },
                Fault::Reset { at },
            ],
            Seen::BrokenAfterHead,
        )
        .ending(Ending::Reset)
        .claim(Claim::body("the first 3 events", move |base| before(base, at)))
        .claim(Claim::framing(Framing::Cut))
        .claim(Claim::waits(short, |_| Before::FirstByte)),
        stream(
            [
                Fault::Connection(ConnectionFault::SlowAccept(short)),
                Fault::Delay { at: first, lasting: short },
                Fault::Close { at },
            ],
            Seen::BrokenAfterHead,
        )
        .ending(Ending::Fin)
        .claim(Claim::body("the first 3 events", move |base| before(base, at)))
        .claim(Claim::waits(2 * short, |_| Before::FirstByte)),
        stream(
            [
                Fault::Delay { at: first, lasting: short },
                Fault::Stall { at, lasting: Some(short) },
                Fault::Delay { at: Point::BeforeEnd, lasting: short },
            ],
            whole,
        )
        .open()
        .claim(Claim::whole_body())
        .claim(Claim::waits(short, |_| Before::FirstByte))
        .claim(Claim::waits(2 * short, move |base| Before::Byte(offset(base, at))))
        .claim(Claim::waits(3 * short, |base| Before::Byte(offset(base, Point::BeforeEnd)))),
        stream([Fault::Crlf, Fault::Split { bytes: 3 }, Fault::DropTerminator], whole)
            .open()
            .claim(Claim::framing(Framing::Whole))
            .claim(Claim::body("every event with CR LF, and no terminator", |base| {
                String::from_utf8_lossy(&base.events().concat()).replace('\n', "\r\n").into_bytes()
            }))
            .claim(Claim::packets("behind every 3 bytes", |_, cut| cut.is_multiple_of(3))),
        stream(
            [
                Fault::Comment { at: Point::AfterHeaders },
                Fault::ErrorEvent { error: ErrorName::Internal, at: Point::BeforeEnd, form: None },
                Fault::Http1(Http1Fault::MissingLastChunk),
            ],
            Seen::BrokenAfterHead,
        )
        .ending(Ending::Fin)
        .claim(Claim::framing(Framing::Cut))
        .claim(Claim::that("a comment, every event, and the error", |sight| {
            let text = String::from_utf8_lossy(&sight.reply().body).into_owned();
            let events = sight.base.events().concat();
            text.starts_with(':')
                && text.contains(&*String::from_utf8_lossy(&events))
                && text.contains(&sight.base.canaries.message)
        })),
        stream([Fault::Delay { at: first, lasting: short }, Fault::Reset { at }], Seen::BrokenAfterHead)
            .over(Transport::Tls)
            .note("over TLS")
            .ending(Ending::Reset)
            .claim(Claim::body("the first 3 events", move |base| before(base, at)))
            .claim(Claim::waits(short, |_| Before::FirstByte)),
        stream([Fault::Delay { at: Point::BeforeEnd, lasting: short }], whole)
            .over(Transport::Http2)
            .note("over HTTP/2")
            .open()
            .claim(Claim::whole_body())
            .claim(Claim::waits(short, |base| Before::Byte(offset(base, Point::BeforeEnd)))),
    ]
}
