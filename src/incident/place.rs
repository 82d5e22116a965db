//! Points of a reply as people write and say them.

use std::fmt;

use crate::scenario::{Point, SuccessReply};

/// The points that options name by a word.
const NAMED: [(&str, Point); 6] = [
    ("before-headers", Point::BeforeHeaders),
    ("after-headers", Point::AfterHeaders),
    ("after-content", Point::AfterContent),
    ("inside-tool-call", Point::InsideToolCall),
    ("after-tool-arguments", Point::AfterToolArguments),
    ("before-end", Point::BeforeEnd),
];

/// Reads the value of an option. Hyphens, underscores and spaces mean the same.
///
/// # Errors
///
/// A text that names all points.
pub(crate) fn read_point(text: &str) -> Result<Point, String> {
    let wanted = text.trim().to_lowercase().replace(['_', ' '], "-");
    if let Some((_, point)) = NAMED.iter().find(|(name, _)| *name == wanted) {
        return Ok(*point);
    }
    let number = wanted.split_once([':', '=']).map(|(name, number)| (name, number.trim_matches('-')));
    let point = match number {
        Some(("after-events", n)) => n.parse().ok().map(Point::AfterEvents),
        Some(("after-bytes", n)) => n.parse().ok().map(Point::AfterBytes),
        _ => None,
    };
    point.ok_or_else(|| {
        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
        format!("the points are: {}, after-events:N, after-bytes:N", names.join(", "))
    })
}

/// The value of an option that [`read_point`] reads.
pub(crate) fn point_option(point: Point) -> String {
    match point {
        Point::AfterEvents(n) => format!("after-events:{n}"),
        Point::AfterBytes(n) => format!("after-bytes:{n}"),
        named => {
            NAMED.iter().filter(|(_, point)| *point == named).map(|(name, _)| (*name).to_owned()).collect()
        }
    }
}

/// A reply that has the point.
pub(super) fn reply_with(point: Point) -> SuccessReply {
    match point {
        Point::InsideToolCall | Point::AfterToolArguments => SuccessReply::ToolCall,
        _ => SuccessReply::Ok,
    }
}

/// A point as titles name it: `in mid-answer`.
pub(super) struct SpokenPoint(pub Point);

impl fmt::Display for SpokenPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Point::BeforeHeaders => f.write_str("before its response"),
            Point::AfterHeaders => f.write_str("after the headers"),
            Point::AfterContent => f.write_str("in mid-answer"),
            Point::AfterToolArguments => f.write_str("after the arguments of a tool call"),
            point => point.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_written_in_several_ways() {
        for (text, expected) in [
            ("after-content", Some(Point::AfterContent)),
            ("inside_tool_call", Some(Point::InsideToolCall)),
            ("After Headers", Some(Point::AfterHeaders)),
            ("after-events:3", Some(Point::AfterEvents(3))),
            ("after_bytes=70", Some(Point::AfterBytes(70))),
            ("after_events: 3", Some(Point::AfterEvents(3))),
            ("after-events:x", None),
            ("middle", None),
        ] {
            assert_eq!(read_point(text).ok(), expected, "{text}");
            if let Some(point) = expected {
                assert_eq!(read_point(&point_option(point)), Ok(point));
            }
        }
    }
}
