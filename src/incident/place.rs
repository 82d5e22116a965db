//! Points of a reply as people write and say them.

use std::fmt;

use crate::scenario::{Point, SuccessReply, meaning, nearest};

/// The points that options name by a word, and what they mean.
pub(crate) const POINTS: [(&str, Point, &str); 6] = [
    ("before-headers", Point::BeforeHeaders, "in place of a response"),
    ("after-headers", Point::AfterHeaders, "after the headers, before the first event of a stream"),
    ("after-content", Point::AfterContent, "in the middle of the text of a stream"),
    ("inside-tool-call", Point::InsideToolCall, "in the middle of a tool call of a stream"),
    ("after-tool-arguments", Point::AfterToolArguments, "after the arguments of a tool call, before the end"),
    ("before-end", Point::BeforeEnd, "after the whole answer, before what ends a stream"),
];

/// What a number means: `after-events:3`.
const COUNTED: [(&str, &str); 2] = [
    ("after-events:N", "after N events of a stream, of any kind"),
    ("after-bytes:N", "after N bytes of the body"),
];

/// What each value of the option means, one per line.
pub(crate) fn points_help() -> String {
    let named = POINTS.iter().map(|(name, _, about)| (name, about));
    let lines = named.chain(COUNTED.iter().map(|(name, about)| (name, about)));
    let lines: Vec<String> = lines.map(|(name, about)| format!("  {name:20}  {about}")).collect();
    format!("Where in the response it happens:\n{}", lines.join("\n"))
}

/// Reads the value of an option. Hyphens, underscores and spaces mean the same.
///
/// # Errors
///
/// A text that names all points.
pub(crate) fn read_point(text: &str) -> Result<Point, String> {
    let wanted = text.trim().to_lowercase().replace(['_', ' '], "-");
    if let Some((_, point, _)) = POINTS.iter().find(|(name, ..)| *name == wanted) {
        return Ok(*point);
    }
    let number = wanted.split_once([':', '=']).map(|(name, number)| (name, number.trim_matches('-')));
    let point = match number {
        Some(("after-events", n)) => n.parse().ok().map(Point::AfterEvents),
        Some(("after-bytes", n)) => n.parse().ok().filter(|n| *n > 0).map(Point::AfterBytes),
        _ => None,
    };
    point.ok_or_else(|| {
        let names: Vec<&str> = POINTS.iter().map(|(name, ..)| *name).collect();
        let words: Vec<String> = names.iter().map(|name| name.replace('-', "_")).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let near = meaning(&wanted, &words).or_else(|| nearest(&wanted, names.iter().copied()));
        let near =
            near.map(|near| format!("did you mean `{}`? ", near.replace('_', "-"))).unwrap_or_default();
        format!("{near}the points are: {}, after-events:N, after-bytes:N (N from 1)", names.join(", "))
    })
}

/// The value of an option that [`read_point`] reads.
pub(crate) fn point_option(point: Point) -> String {
    match point {
        Point::AfterEvents(n) => format!("after-events:{n}"),
        Point::AfterBytes(n) => format!("after-bytes:{n}"),
        named => POINTS
            .iter()
            .filter(|(_, point, _)| *point == named)
            .map(|(name, ..)| (*name).to_owned())
            .collect(),
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
            ("after-bytes:0", None),
            ("middle", None),
        ] {
            assert_eq!(read_point(text).ok(), expected, "{text}");
            if let Some(point) = expected {
                assert_eq!(read_point(&point_option(point)), Ok(point));
            }
        }
    }

    #[test]
    fn the_words_of_people_lead_to_a_point() {
        for (text, expected) in [
            ("mid-stream", "after-content"),
            ("mid stream", "after-content"),
            ("first-token", "after-content"),
            ("tool-call", "inside-tool-call"),
            ("end", "before-end"),
            ("after-contnt", "after-content"),
        ] {
            let said = read_point(text).unwrap_err();
            assert!(said.starts_with(&format!("did you mean `{expected}`? ")), "{text}: {said}");
        }
    }
}
