//! AWS's event stream encoding: wrong checksums, unknown messages, frames that are cut in half.

use super::points::{BETWEEN_EVENTS, before, offset};
use crate::{
    scenario::{Api, ErrorName, EventForm, EventStreamFault, Fault, Point},
    selftest::{
        ClientRequest, ClientView, ConnectionEnd, Exhibit, FaultLayer, MessageFraming, UnfaultedReply,
        WireClaim,
    },
    wire::eventstream::{self, EventStreamViolationKind},
};

const WHOLE: ClientView = ClientView::Whole { status: 200 };

fn stream(fault: Fault, seen: ClientView) -> Exhibit {
    Exhibit::of(FaultLayer::EventStream, ClientRequest::new(Api::BedrockConverse, true), [fault], seen)
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    let mut exhibits = Vec::new();
    for at in BETWEEN_EVENTS {
        exhibits.push(damaged(
            EventStreamFault::BadPreludeCrc { at },
            at,
            EventStreamViolationKind::BadPreludeCrc,
        ));
        exhibits.push(damaged(
            EventStreamFault::BadMessageCrc { at },
            at,
            EventStreamViolationKind::BadMessageCrc,
        ));
        exhibits.push(unknown_message(at));
    }
    exhibits.extend([exception(None, "exception"), exception(Some(EventForm::LowLevel), "error")]);
    let at = Point::AfterEvents(3);
    exhibits.push(
        stream(Fault::Truncate { at }, ClientView::BrokenAfterHead)
            .note("a frame cut in half")
            .ending(ConnectionEnd::Fin)
            .claim(WireClaim::framing(MessageFraming::Cut))
            .claim(WireClaim::that("the fourth message is cut", |view| {
                let body = &view.reply().body;
                view.base.first(4).starts_with(body) && body.len() > view.base.first(3).len()
            })),
    );
    exhibits
}

/// Returns where the message after a point begins. If the stream ends there, it is the last message.
fn message_at(base: &UnfaultedReply, at: Point) -> usize {
    let place = offset(base, at);
    let mut begin = 0;
    for event in base.events() {
        if begin >= place {
            return begin;
        }
        begin += event.len();
    }
    begin
}

/// Claims that only bytes of one checksum differ, and that a strict decoder reports which checksum of which
/// message is wrong.
fn damaged(fault: EventStreamFault, at: Point, kind: EventStreamViolationKind) -> Exhibit {
    stream(Fault::EventStream(fault), WHOLE)
        .open()
        .claim(WireClaim::framing(MessageFraming::Whole))
        .claim(WireClaim::that("at most four bytes differ", |view| {
            let (body, base) = (&view.reply().body, view.base.body());
            let differ = body.iter().zip(&base).filter(|(seen, base)| seen != base).count();
            body.len() == base.len() && (1..=4).contains(&differ)
        }))
        .claim(WireClaim::new(format!("the first error is {kind}, at the point"), move |view| {
            let mut decoder = eventstream::EventStreamDecoder::strict();
            match decoder.feed(&view.reply().body) {
                Err(wrong) if wrong.kind == kind && wrong.offset == message_at(view.base, at) as u64 => {
                    Ok(())
                }
                Err(wrong) => Err(wrong.to_string()),
                Ok(()) => Err("no error".to_owned()),
            }
        }))
}

fn unknown_message(at: Point) -> Exhibit {
    stream(Fault::EventStream(EventStreamFault::UnknownMessage { at }), WHOLE)
        .open()
        .claim(WireClaim::framing(MessageFraming::Whole))
        .claim(WireClaim::that("there is one more well-formed message and no other change", |view| {
            let (seen, base) =
                (eventstream::decode(&view.reply().body), eventstream::decode(&view.base.body()));
            let says = |message: &eventstream::EventStreamMessage| {
                (message.headers.clone(), message.payload.clone())
            };
            let known: Vec<_> = base.iter().map(says).collect();
            let unknown_events = seen.iter().map(says).filter(|message| !known.contains(message)).count();
            seen.len() == base.len() + 1 && unknown_events == 1
        }))
}

/// An error as a message of the stream: an exception, or AWS's low-level error.
fn exception(form: Option<EventForm>, kind: &'static str) -> Exhibit {
    let at = Point::AfterEvents(2);
    stream(Fault::ErrorEvent { error: ErrorName::RateLimit, at, form }, WHOLE)
        .open()
        .claim(WireClaim::framing(MessageFraming::Whole))
        .claim(WireClaim::that(
            format!("the body is two events, then a message of the type {kind}"),
            move |view| {
                let messages = eventstream::decode(&view.reply().body);
                view.reply().body.starts_with(&before(view.base, at))
                    && matches!(&messages[..], [_, _, last] if last.text(":message-type") == Some(kind))
            },
        ))
}
