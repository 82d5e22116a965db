//! A stream as evidence shows it: how far it came, and how it ended.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::{clue::SeenBreak, evidence::IncidentEvidence, seen_error::SeenError};
use crate::{
    dialect::{self, StreamEvent},
    provider,
    scenario::{Api, Point},
    wire::frames::{self, Carrier},
};

/// What a stream contained before it ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SeenStream {
    /// Where it ended or the error came.
    pub place: Point,
    /// How it ended.
    pub end: StreamEnd,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum StreamEnd {
    /// With an error event.
    Error(Box<SeenError>),
    /// The connection failed.
    Broken(SeenBreak),
    /// It has its finish reason but not its terminator.
    WithoutTerminator,
    /// It ended before its finish reason, and nothing says why.
    Early,
    /// It is complete.
    Whole,
}

/// The format of the events of a response with status 200; `None` if it is not a stream.
pub(super) fn carrier(evidence: &IncidentEvidence, endpoint: Api) -> Option<Carrier> {
    let kind = evidence.header("content-type");
    let text = evidence.text();
    let looks_like_one = || provider::looks_like_events(&text);
    // What a provider names JSON is an error in place of the stream, whatever was requested.
    let was_requested = || evidence.stream == Some(true) && kind.is_none();
    let found = kind.and_then(Carrier::of);
    found
        .or_else(|| (looks_like_one() || was_requested()).then(|| dialect::carrier(endpoint)))
        .filter(|_| endpoint.streams())
}

/// The body with the line feed that ends its last line of JSON: text that people copy often lacks it.
fn with_last_line(carrier: Carrier, body: &[u8]) -> Cow<'_, [u8]> {
    let last = body.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_whole = carrier == Carrier::Ndjson && serde_json::from_slice::<IgnoredAny>(last).is_ok();
    if is_whole { Cow::Owned([body, b"\n"].concat()) } else { Cow::Borrowed(body) }
}

/// Reads a stream of this endpoint as a client does.
pub(super) fn read(api: Api, carrier: Carrier, body: &[u8], broken: Option<SeenBreak>) -> SeenStream {
    let (mut text, mut arguments, mut finished, mut done, mut events) = (false, false, false, false, 0);
    let mut error = None;
    for frame in frames::decode(carrier, &with_last_line(carrier, body)) {
        events += 1;
        match dialect::event(api, frame.event.as_deref(), &frame.data) {
            StreamEvent::Chunk { content, finish } => {
                text |= !content.text.is_empty();
                arguments |= !content.calls.is_empty();
                finished |= finish.is_some();
            }
            StreamEvent::Error(_) if error.is_none() => {
                let json = serde_json::from_str(&frame.data).unwrap_or_default();
                let amazon = frame.event.as_deref().and_then(dialect::exception_type);
                error = Some(SeenError::in_json(json, amazon));
            }
            StreamEvent::Done => done = true,
            StreamEvent::Error(_) | StreamEvent::Odd(_) => {}
        }
    }
    let place = match (arguments, text) {
        (true, _) if finished => Point::AfterToolArguments,
        (true, _) => Point::InsideToolCall,
        _ if finished => Point::BeforeEnd,
        (_, true) => Point::AfterContent,
        _ if events > 0 => Point::AfterEvents(1),
        _ => Point::AfterHeaders,
    };
    let end = match (error, broken) {
        (Some(error), _) => StreamEnd::Error(Box::new(error)),
        (None, Some(broken)) => StreamEnd::Broken(broken),
        _ if done => StreamEnd::Whole,
        _ if finished && dialect::terminator(api).is_none() => StreamEnd::Whole,
        _ if finished => StreamEnd::WithoutTerminator,
        _ => StreamEnd::Early,
    };
    SeenStream { place, end }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(api: Api, body: &str, broken: Option<SeenBreak>) -> SeenStream {
        read(api, Carrier::Sse, body.as_bytes(), broken)
    }

    const ROLE: &str =
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    const TEXT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"He\"}}]}\n\n";
    const CALL: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\n";
    const STOP: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

    #[test]
    fn a_last_line_of_json_needs_no_line_feed() {
        let line = r#"{"message":{"role":"assistant","content":"He"},"done":false}"#;
        let done = r#"{"message":{"role":"assistant","content":""},"done":true,"done_reason":"stop"}"#;
        let seen = |body: &str| read(Api::OllamaChat, Carrier::Ndjson, body.as_bytes(), None).end;
        assert_eq!(seen(&format!("{line}\n{done}")), StreamEnd::Whole);
        assert_eq!(seen(&format!("{line}\n{done}\n")), StreamEnd::Whole);
        assert!(matches!(seen(&format!("{line}\n{}", r#"{"error":"boom"}"#)), StreamEnd::Error(_)));
        assert_eq!(seen(&format!("{line}\n{}", &done[..40])), StreamEnd::Early);
    }

    #[test]
    fn a_stream_is_placed_by_what_it_contained() {
        use Point::{AfterContent, AfterEvents, AfterHeaders, BeforeEnd, InsideToolCall};
        use StreamEnd::{Broken, Early, Whole, WithoutTerminator};
        let closed = Some(SeenBreak::Closed);
        for (body, broken, place, end) in [
            (String::new(), closed, AfterHeaders, Broken(SeenBreak::Closed)),
            (ROLE.to_owned(), closed, AfterEvents(1), Broken(SeenBreak::Closed)),
            ([ROLE, TEXT].concat(), None, AfterContent, Early),
            ([ROLE, CALL].concat(), None, InsideToolCall, Early),
            ([ROLE, TEXT, STOP].concat(), None, BeforeEnd, WithoutTerminator),
            ([ROLE, TEXT, STOP, "data: [DONE]\n\n"].concat(), None, BeforeEnd, Whole),
        ] {
            assert_eq!(seen(Api::OpenaiChat, &body, broken), SeenStream { place, end }, "{body}");
        }
    }

    #[test]
    fn an_error_event_is_read_in_the_dialect_of_the_endpoint() {
        let body = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"He\"}}\n\n\
                    event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n";
        let seen = seen(Api::AnthropicMessages, body, None);
        let StreamEnd::Error(error) = &seen.end else { panic!("{seen:?}") };
        assert_eq!((seen.place, error.kind.as_deref()), (Point::AfterContent, Some("overloaded_error")));
    }
}
