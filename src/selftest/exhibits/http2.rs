//! HTTP/2: stalls, reset streams, and connections that end with GOAWAY.

use super::points::{POINTS, before};
use crate::{
    scenario::{Fault, Http2Code, Http2Fault, Http2Strike, Point, Transport},
    selftest::{ClientView, ConnectionEnd, Exhibit, FaultLayer, MessageFraming, WireClaim},
};

/// More than the initial window of a connection (RFC 9113 section 6.9.2).
const LARGE: usize = 100_000;

fn exhibit(fault: Http2Fault, seen: ClientView) -> Exhibit {
    Exhibit::stream(FaultLayer::Http2, [Fault::Http2(fault)], seen)
}

fn counts(name: &'static str, wanted: usize) -> WireClaim {
    WireClaim::new(format!("{wanted} {name}"), move |view| {
        let count = view.transcript.frames.iter().filter(|frame| **frame == name).count();
        if count == wanted { Ok(()) } else { Err(view.transcript.frames.join(" ")) }
    })
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    let mut stalled = exhibit(Http2Fault::FlowControlStall, ClientView::Silent)
        .open()
        .claim(counts("SETTINGS", 1))
        .claim(counts("WINDOW_UPDATE", 0))
        .claim(counts("HEADERS", 0));
    stalled.call.padding = LARGE;
    let mut exhibits = vec![
        Exhibit::stream(FaultLayer::Http2, [], ClientView::Whole { status: 200 })
            .over(Transport::Http2)
            .note("no fault over HTTP/2")
            .open()
            .claim(WireClaim::whole_body())
            .claim(WireClaim::framing(MessageFraming::Whole)),
        exhibit(Http2Fault::SettingsStall, ClientView::Silent).open().claim(WireClaim::no_bytes()),
        stalled,
    ];
    let at = Point::AfterEvents(2);
    exhibits.extend(Http2Code::ALL.iter().map(|&code| reset(Http2Strike { code, at })));
    let code = Http2Code::InternalError;
    exhibits.extend(POINTS.into_iter().map(|at| reset(Http2Strike { code, at })));
    exhibits.extend(Http2Code::ALL.iter().map(|&code| gone(Http2Strike { code, at })));
    let code = Http2Code::NoError;
    exhibits.extend(POINTS.into_iter().map(|at| gone(Http2Strike { code, at })));
    exhibits
}

fn reset(strike: Http2Strike) -> Exhibit {
    struck(Http2Fault::RstStream(strike), strike.at)
        .ending(ConnectionEnd::StreamReset(strike.code.number()))
        // The mock answers a PING afterwards, so the connection is still open.
        .claim(counts("PING(ack)", 1))
}

fn gone(strike: Http2Strike) -> Exhibit {
    struck(Http2Fault::Goaway(strike), strike.at).ending(ConnectionEnd::GoneAway(strike.code.number()))
}

fn struck(fault: Http2Fault, at: Point) -> Exhibit {
    let seen =
        if at == Point::BeforeHeaders { ClientView::BrokenBeforeHead } else { ClientView::BrokenAfterHead };
    exhibit(fault, seen)
        .claim(WireClaim::body("everything before the point", move |base| before(base, at)))
        .claim(WireClaim::framing(MessageFraming::Cut))
}
