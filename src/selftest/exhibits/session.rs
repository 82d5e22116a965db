//! WebSocket sessions: close frames, and other ways in which a session ends.

use bytes::Bytes;

use super::points::BETWEEN_EVENTS;
use crate::{
    scenario::{Api, CloseFrame, ErrorName, Fault, Point},
    selftest::{
        ClientRequest, ClientView, ConnectionEnd, Exhibit, FaultLayer, MessageFraming, UnfaultedReply,
        WireClaim,
    },
    wire::websocket,
};

const SESSION: ClientView = ClientView::Whole { status: 101 };

fn of(faults: impl Into<Vec<Fault>>, seen: ClientView) -> Exhibit {
    Exhibit::of(FaultLayer::Session, ClientRequest::new(Api::OpenaiRealtime, false), faults, seen)
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    let frame =
        |code, reason: &str, at| Fault::CloseFrame(CloseFrame { code, reason: reason.to_owned(), at });
    let mut exhibits = vec![
        of([], ClientView::Silent)
            .note("session")
            .open()
            .claim(WireClaim::framing(MessageFraming::Cut))
            .claim(WireClaim::whole_body())
            .claim(WireClaim::header("upgrade", &["websocket"]))
            .claim(WireClaim::header("sec-websocket-accept", &["AXMRwTjlD3lE+vT+ALIFOskrlAw="])),
    ];
    for at in BETWEEN_EVENTS {
        exhibits.push(closed(of([frame(Some(1011), "over", at)], SESSION), at, Some(1011), "over"));
    }
    let at = Point::AfterEvents(1);
    exhibits.push(closed(of([frame(Some(4001), "a", at)], SESSION), at, Some(4001), "a"));
    exhibits.push(closed(of([frame(None, "", at)], SESSION), at, None, ""));
    for (fault, ending) in
        [(Fault::Reset { at }, ConnectionEnd::Reset), (Fault::Close { at }, ConnectionEnd::Fin)]
    {
        exhibits.push(
            of([fault], ClientView::BrokenAfterHead)
                .note("session")
                .ending(ending)
                .claim(WireClaim::framing(MessageFraming::Cut))
                .claim(sent("the first event, without a close frame", at)),
        );
    }
    let error = Fault::ErrorEvent { error: ErrorName::Overloaded, at, form: None };
    exhibits.push(
        of([error], ClientView::Silent)
            .note("session")
            .open()
            .claim(WireClaim::framing(MessageFraming::Cut))
            .claim(WireClaim::that("an error event follows the first event", |view| {
                let said = said(&view.reply().body);
                said.len() == 2 && said[1].contains(r#""type":"error""#)
            })),
    );
    exhibits.push(of([Fault::Ping { at }], ClientView::Silent).note("session").open().claim(
        WireClaim::that("a ping is between the events, and all events arrive", |view| {
            let body = &view.reply().body;
            said(body) == said(&view.base.body())
                && body.len() == view.base.body().len() + websocket::ping(b"upfault").len()
        }),
    ));
    exhibits
}

/// Claims that everything before the point arrives, then the close frame, then a FIN.
fn closed(exhibit: Exhibit, at: Point, code: Option<u16>, reason: &'static str) -> Exhibit {
    exhibit
        .ending(ConnectionEnd::Fin)
        .claim(WireClaim::framing(MessageFraming::Whole))
        .claim(sent("everything before the point", at))
        .claim(WireClaim::that("a close frame with this code and reason ends the session", move |view| {
            view.reply().rest == websocket::close(code, reason, None)
        }))
}

fn sent(says: &str, at: Point) -> WireClaim {
    WireClaim::body(says, move |base| frames(base, at).concat())
}

/// Returns the frames before a point.
fn frames(base: &UnfaultedReply, at: Point) -> Vec<Bytes> {
    let mut frames = base.session_frames();
    match at {
        Point::AfterEvents(n) => frames.truncate(n as usize),
        Point::BeforeEnd => drop(frames.pop()),
        _ => frames.clear(),
    }
    frames
}

fn said(body: &[u8]) -> Vec<String> {
    let frames = crate::wire::frames::decode(crate::wire::frames::Carrier::WebSocket, body);
    frames.into_iter().map(|frame| frame.data).collect()
}
