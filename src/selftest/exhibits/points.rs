//! The points at which exhibits show a fault, and their places in a stream.

use std::time::Duration;

use crate::{scenario::Point, selftest::UnfaultedReply};

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
