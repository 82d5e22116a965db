//! Replies that end too early: silence, RST, FIN, and frames that are cut in half.

use super::points::{OF_CONTENT, POINTS, before, offset};
use crate::{
    scenario::{Fault, Point, SuccessReply, TurnReply},
    selftest::{ClientView, ConnectionEnd, Exhibit, FaultLayer, MessageFraming, UnfaultedReply, WireClaim},
};

/// A way in which a reply ends.
struct Kind {
    fault: fn(Point) -> Fault,
    ending: ConnectionEnd,
}

const KINDS: [Kind; 4] = [
    Kind { fault: |at| Fault::Hang { at }, ending: ConnectionEnd::Open },
    Kind { fault: |at| Fault::Stall { at, lasting: None }, ending: ConnectionEnd::Open },
    Kind { fault: |at| Fault::Reset { at }, ending: ConnectionEnd::Reset },
    Kind { fault: |at| Fault::Close { at }, ending: ConnectionEnd::Fin },
];

pub(super) fn exhibits() -> Vec<Exhibit> {
    let mut exhibits = Vec::new();
    for kind in KINDS {
        for at in POINTS {
            let exhibit = Exhibit::stream(FaultLayer::Ending, [(kind.fault)(at)], kind.seen(at));
            exhibits.push(kind.ended(exhibit, at).claim(sent("everything before the point", at)));
        }
    }
    for at in OF_CONTENT {
        exhibits.push(
            Exhibit::stream(FaultLayer::Ending, [Fault::Reset { at }], ClientView::BrokenAfterHead)
                .answer(TurnReply::Reply(SuccessReply::TextAndToolCall))
                .ending(ConnectionEnd::Reset)
                .claim(WireClaim::framing(MessageFraming::Cut))
                .claim(sent("everything up to the event that names the point", at)),
        );
    }
    for kind in KINDS {
        for at in [Point::AfterHeaders, Point::BeforeEnd] {
            let exhibit = Exhibit::plain(FaultLayer::Ending, [(kind.fault)(at)], kind.seen(at));
            exhibits.push(kind.ended(exhibit, at).claim(WireClaim::body(
                "everything but its last byte, or nothing",
                move |base| {
                    let body = base.body();
                    let end = if at == Point::BeforeEnd { body.len() - 1 } else { 0 };
                    body[..end].to_vec()
                },
            )));
        }
    }
    for at in POINTS.into_iter().filter(|at| *at != Point::BeforeHeaders) {
        exhibits.push(
            Exhibit::stream(FaultLayer::Ending, [Fault::Truncate { at }], ClientView::BrokenAfterHead)
                .ending(ConnectionEnd::Fin)
                .claim(WireClaim::framing(MessageFraming::Cut))
                .claim(WireClaim::body("everything before the point, and half a frame", move |base| {
                    half_a_frame_more(base, at)
                })),
        );
    }
    exhibits.push(
        Exhibit::plain(
            FaultLayer::Ending,
            [Fault::Truncate { at: Point::AfterHeaders }],
            ClientView::BrokenAfterHead,
        )
        .ending(ConnectionEnd::Fin)
        .claim(WireClaim::framing(MessageFraming::Cut))
        .claim(WireClaim::body("half of the answer", |base| {
            let body = base.body();
            body[..body.len() / 2].to_vec()
        })),
    );
    exhibits
}

impl Kind {
    fn seen(&self, at: Point) -> ClientView {
        match (&self.ending, at) {
            (ConnectionEnd::Open, _) => ClientView::Silent,
            (_, Point::BeforeHeaders) => ClientView::BrokenBeforeHead,
            _ => ClientView::BrokenAfterHead,
        }
    }

    fn ended(&self, exhibit: Exhibit, at: Point) -> Exhibit {
        let exhibit = match &self.ending {
            ConnectionEnd::Open => exhibit.open(),
            ending => exhibit.ending(ending.clone()),
        };
        match at {
            Point::BeforeHeaders => exhibit.claim(WireClaim::no_bytes()),
            _ => exhibit.claim(WireClaim::framing(MessageFraming::Cut)),
        }
    }
}

fn sent(says: &str, at: Point) -> WireClaim {
    WireClaim::body(says, move |base| before(base, at))
}

/// Returns everything before the point, and half of the rest of the frame after it.
fn half_a_frame_more(base: &UnfaultedReply, at: Point) -> Vec<u8> {
    let begin = offset(base, at);
    let mut end = 0;
    for frame in base.events().iter().map(|event| &event[..]).chain([base.terminator()]) {
        end += frame.len();
        if end > begin {
            break;
        }
    }
    base.body()[..begin + (end - begin) / 2].to_vec()
}
