//! The list of all exhibits, and functions that several families share.

use std::time::Duration;

use super::{body, combined, connection, ending, event_stream, http1, http2, session, stream, timing, tls};
use crate::{
    scenario::Point,
    selftest::{Exhibit, UnfaultedReply},
};

/// Returns every exhibit, family by family. Every word of the fault vocabulary is in at least one of them.
pub fn all() -> Vec<Exhibit> {
    [
        connection::exhibits(),
        tls::exhibits(),
        http1::exhibits(),
        http2::exhibits(),
        body::exhibits(),
        stream::exhibits(),
        event_stream::exhibits(),
        session::exhibits(),
        timing::exhibits(),
        ending::exhibits(),
        combined::exhibits(),
    ]
    .concat()
}

/// One point of every kind, each at a different place in a chat stream.
pub(super) const POINTS: [Point; 5] = [
    Point::BeforeHeaders,
    Point::AfterHeaders,
    Point::AfterEvents(3),
    Point::AfterBytes(700),
    Point::BeforeEnd,
];

/// The points at which an event can be inserted.
pub(super) const BETWEEN_EVENTS: [Point; 3] = [Point::AfterHeaders, Point::AfterEvents(3), Point::BeforeEnd];

/// Returns the number of bytes of a stream's body before a point.
pub(super) fn offset(base: &UnfaultedReply, point: Point) -> usize {
    match point {
        Point::BeforeHeaders | Point::AfterHeaders => 0,
        Point::AfterEvents(n) => base.first(n as usize).len(),
        Point::AfterBytes(n) => usize::try_from(n).unwrap_or(usize::MAX).min(base.body().len()),
        Point::BeforeEnd => base.events().concat().len(),
    }
}

/// Returns the bytes of a stream's body before a point.
pub(super) fn before(base: &UnfaultedReply, point: Point) -> Vec<u8> {
    base.body()[..offset(base, point)].to_vec()
}

pub(super) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
