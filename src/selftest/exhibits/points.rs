//! The points at which exhibits show a fault, and their places in a stream.

use std::time::Duration;

use bytes::Bytes;

use crate::{scenario::Point, selftest::UnfaultedReply};

/// One point of every kind that does not depend on the content, each at a different place in a chat stream.
pub(super) const POINTS: [Point; 5] = [
    Point::BeforeHeaders,
    Point::AfterHeaders,
    Point::AfterEvents(3),
    Point::AfterBytes(700),
    Point::BeforeEnd,
];

/// The points at which an event can be inserted.
pub(super) const BETWEEN_EVENTS: [Point; 3] = [Point::AfterHeaders, Point::AfterEvents(3), Point::BeforeEnd];

/// The points that are named by content, for a reply with a text and a tool call.
pub(super) const OF_CONTENT: [Point; 3] =
    [Point::AfterContent, Point::InsideToolCall, Point::AfterToolArguments];

/// Returns the number of bytes of a stream's body before a point.
pub(super) fn offset(base: &UnfaultedReply, point: Point) -> usize {
    match point {
        Point::BeforeHeaders | Point::AfterHeaders => 0,
        Point::AfterEvents(n) => base.first(n as usize).len(),
        Point::AfterBytes(n) => usize::try_from(n).unwrap_or(usize::MAX).min(base.body().len()),
        Point::BeforeEnd => base.events().concat().len(),
        // The texts are those of the mock's reply: the exhibit must not trust the reader that finds the point.
        Point::AfterContent => through(base, "\"content\":\"[1] "),
        Point::InsideToolCall => through(base, r#""arguments":"{\"city\":""#),
        Point::AfterToolArguments => through(base, r#""arguments":"\"}""#),
    }
}

/// Returns the number of bytes up to the end of the first event that contains `text`; all if none does.
fn through(base: &UnfaultedReply, text: &str) -> usize {
    let has = |event: &Bytes| String::from_utf8_lossy(event).contains(text);
    let before = base.events().iter().take_while(|event| !has(event)).count();
    base.first(before + 1).len()
}

/// Returns the bytes of a stream's body before a point.
pub(super) fn before(base: &UnfaultedReply, point: Point) -> Vec<u8> {
    base.body()[..offset(base, point)].to_vec()
}

pub(super) const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
