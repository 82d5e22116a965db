//! AWS's event stream encoding: sums that are wrong, messages that nobody knows, frames that are cut.

use super::catalogue::{BETWEEN_EVENTS, before, offset};
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
        exhibits.push(stranger(at));
    }
    exhibits.extend([exception(None, "exception"), exception(Some(EventForm::LowLevel), "error")]);
    let at = Point::AfterEvents(3);
    exhibits.push(
        stream(Fault::Truncate { at }, ClientView::BrokenAfterHead)
            .note("a frame cut in two")
            .ending(ConnectionEnd::Fin)
            .claim(WireClaim::framing(MessageFraming::Cut))
            .claim(WireClaim::that("the fourth message is cut", |sight| {
                let body = &sight.reply().body;
                sight.base.first(4).starts_with(body) && body.len() > sight.base.first(3).len()
            })),
    );
    exhibits
}

/// Where the message begins that stands behind a point; of a stream that ends there, the last one.
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

/// Nothing differs but bytes of one sum, and a careful reader says which and of which message.
fn damaged(fault: EventStreamFault, at: Point, kind: EventStreamViolationKind) -> Exhibit {
    stream(Fault::EventStream(fault), WHOLE)
        .open()
        .claim(WireClaim::framing(MessageFraming::Whole))
        .claim(WireClaim::that("nothing but four bytes at most differs", |sight| {
            let (body, base) = (&sight.reply().body, sight.base.body());
            let differ = body.iter().zip(&base).filter(|(seen, base)| seen != base).count();
            body.len() == base.len() && (1..=4).contains(&differ)
        }))
        .claim(WireClaim::new(format!("the first thing wrong is {kind}, where the point is"), move |sight| {
            let mut decoder = eventstream::EventStreamDecoder::strict();
            match decoder.feed(&sight.reply().body) {
                Err(wrong) if wrong.kind == kind && wrong.offset == message_at(sight.base, at) as u64 => {
                    Ok(())
                }
                Err(wrong) => Err(wrong.to_string()),
                Ok(()) => Err("nothing is wrong".to_owned()),
            }
        }))
}

fn stranger(at: Point) -> Exhibit {
    stream(Fault::EventStream(EventStreamFault::UnknownMessage { at }), WHOLE)
        .open()
        .claim(WireClaim::framing(MessageFraming::Whole))
        .claim(WireClaim::that("one well-formed message more, and all else as it was", |sight| {
            let (seen, base) =
                (eventstream::decode(&sight.reply().body), eventstream::decode(&sight.base.body()));
            let says = |message: &eventstream::EventStreamMessage| {
                (message.headers.clone(), message.payload.clone())
            };
            let known: Vec<_> = base.iter().map(says).collect();
            let strangers = seen.iter().map(says).filter(|message| !known.contains(message)).count();
            seen.len() == base.len() + 1 && strangers == 1
        }))
}

/// An error as a message of the stream: an exception, or AWS's low-level error.
fn exception(form: Option<EventForm>, kind: &'static str) -> Exhibit {
    let at = Point::AfterEvents(2);
    stream(Fault::ErrorEvent { error: ErrorName::RateLimit, at, form }, WHOLE)
        .open()
        .claim(WireClaim::framing(MessageFraming::Whole))
        .claim(WireClaim::that(format!("two events, then a message of the type {kind}"), move |sight| {
            let messages = eventstream::decode(&sight.reply().body);
            sight.reply().body.starts_with(&before(sight.base, at))
                && matches!(&messages[..], [_, _, last] if last.text(":message-type") == Some(kind))
        }))
}
