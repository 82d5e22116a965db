//! AWS's event stream encoding: sums that are wrong, messages that nobody knows, frames that are cut.

use super::catalogue::{BETWEEN_EVENTS, before, offset};
use crate::{
    scenario::{Api, ErrorName, EventForm, EventStreamFault, Fault, Point},
    selftest::{Base, Call, Claim, Ending, Exhibit, Family, Framing, Seen},
    wire::eventstream::{self, ViolationKind},
};

const WHOLE: Seen = Seen::Whole { status: 200 };

fn stream(fault: Fault, seen: Seen) -> Exhibit {
    Exhibit::of(Family::EventStream, Call::new(Api::BedrockConverse, true), [fault], seen)
}

pub(super) fn exhibits() -> Vec<Exhibit> {
    let mut exhibits = Vec::new();
    for at in BETWEEN_EVENTS {
        exhibits.push(damaged(EventStreamFault::BadPreludeCrc { at }, at, ViolationKind::BadPreludeCrc));
        exhibits.push(damaged(EventStreamFault::BadMessageCrc { at }, at, ViolationKind::BadMessageCrc));
        exhibits.push(stranger(at));
    }
    exhibits.extend([exception(None, "exception"), exception(Some(EventForm::LowLevel), "error")]);
    let at = Point::AfterEvents(3);
    exhibits.push(
        stream(Fault::Truncate { at }, Seen::BrokenAfterHead)
            .note("a frame cut in two")
            .ending(Ending::Fin)
            .claim(Claim::framing(Framing::Cut))
            .claim(Claim::that("the fourth message is cut", |sight| {
                let body = &sight.reply().body;
                sight.base.first(4).starts_with(body) && body.len() > sight.base.first(3).len()
            })),
    );
    exhibits
}

/// Where the message begins that stands behind a point; of a stream that ends there, the last one.
fn message_at(base: &Base, at: Point) -> usize {
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
fn damaged(fault: EventStreamFault, at: Point, kind: ViolationKind) -> Exhibit {
    stream(Fault::EventStream(fault), WHOLE)
        .open()
        .claim(Claim::framing(Framing::Whole))
        .claim(Claim::that("nothing but four bytes at most differs", |sight| {
            let (body, base) = (&sight.reply().body, sight.base.body());
            let differ = body.iter().zip(&base).filter(|(seen, base)| seen != base).count();
            body.len() == base.len() && (1..=4).contains(&differ)
        }))
        .claim(Claim::new(format!("the first thing wrong is {kind}, where the point is"), move |sight| {
            let mut decoder = eventstream::Decoder::strict();
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
        .claim(Claim::framing(Framing::Whole))
        .claim(Claim::that("one well-formed message more, and all else as it was", |sight| {
            let (seen, base) =
                (eventstream::decode(&sight.reply().body), eventstream::decode(&sight.base.body()));
            let says = |message: &eventstream::Message| (message.headers.clone(), message.payload.clone());
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
        .claim(Claim::framing(Framing::Whole))
        .claim(Claim::that(format!("two events, then a message of the type {kind}"), move |sight| {
            let messages = eventstream::decode(&sight.reply().body);
            sight.reply().body.starts_with(&before(sight.base, at))
                && matches!(&messages[..], [_, _, last] if last.text(":message-type") == Some(kind))
        }))
}
