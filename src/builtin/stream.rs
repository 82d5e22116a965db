//! What becomes of each event of an upstream stream once a 200 has been sent. Pure: events in,
//! pieces out.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Value, json};

use super::envelope::{self, ErrorObject};
use crate::{
    proxy::Route,
    wire::sse::{self, Event},
};

/// What an event of a chat stream is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum EventKind {
    /// A chunk of the completion.
    Chunk {
        /// Each choice that it speaks of, and whether it carries that choice's finish_reason.
        choices: Vec<(u64, bool)>,
        /// Whether there is text or a part of a tool call in it.
        has_content: bool,
    },
    /// An error in place of a chunk.
    Error(ErrorObject),
    /// `[DONE]`
    Done,
    /// No JSON object.
    Broken,
}

/// Reads one event.
pub(super) fn kind_of(event: &Event) -> EventKind {
    if event.data.trim() == "[DONE]" {
        return EventKind::Done;
    }
    let is_error_event = event.event.as_deref() == Some("error");
    let Ok(Value::Object(members)) = serde_json::from_str::<Value>(&event.data) else {
        return if is_error_event {
            EventKind::Error(envelope::of_body(event.data.as_bytes(), 200))
        } else {
            EventKind::Broken
        };
    };
    let is_error = match members.get("error") {
        None | Some(Value::Null) => is_error_event,
        Some(_) => true,
    };
    if is_error {
        let error = envelope::of_body(event.data.as_bytes(), 200);
        return EventKind::Error(error);
    }
    let choices = members.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    EventKind::Chunk {
        choices: choices
            .iter()
            .map(|choice| {
                let index = choice.get("index").and_then(Value::as_u64).unwrap_or(0);
                (index, choice.get("finish_reason").is_some_and(|reason| !reason.is_null()))
            })
            .collect(),
        has_content: choices.iter().any(has_content),
    }
}

fn has_content(choice: &Value) -> bool {
    let delta = &choice["delta"];
    delta["content"].as_str().is_some_and(|text| !text.is_empty()) || delta["tool_calls"].is_array()
}

/// Something to be sent to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub kind: PieceKind,
    pub bytes: Bytes,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// A chunk with content.
    Content,
    /// Any other chunk.
    Other,
    /// The upstream's own error event.
    ErrorEvent,
    /// The proxy's word that the stream broke off.
    Interrupted,
    /// `[DONE]`
    Done,
}

impl PieceKind {
    /// Nothing comes after it.
    pub fn is_last(self) -> bool {
        matches!(self, Self::ErrorEvent | Self::Interrupted | Self::Done)
    }
}

/// How an upstream stream stopped without saying so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The HTTP framing came to its end.
    Clean,
    /// The connection was lost.
    Cut,
    /// Nothing came for so long.
    Gap(Duration),
}

/// Follows one stream, from its first event to its end.
#[derive(Debug)]
pub(super) struct Reader {
    routes: Arc<[Route]>,
    seen: BTreeSet<u64>,
    finished: BTreeSet<u64>,
}

impl Reader {
    /// `routes` hold the secrets that no error event may carry out.
    pub fn new(routes: Arc<[Route]>) -> Self {
        Self { routes, seen: BTreeSet::new(), finished: BTreeSet::new() }
    }

    /// What to send for an event whose bytes are `raw`.
    pub fn event(&mut self, event: &Event, raw: Bytes) -> Piece {
        match kind_of(event) {
            EventKind::Chunk { choices, has_content } => {
                for (index, finished) in choices {
                    self.seen.insert(index);
                    if finished {
                        self.finished.insert(index);
                    }
                }
                Piece { kind: if has_content { PieceKind::Content } else { PieceKind::Other }, bytes: raw }
            }
            EventKind::Error(error) => {
                Piece { kind: PieceKind::ErrorEvent, bytes: self.error_event(event, error, raw) }
            }
            EventKind::Done if self.is_complete() => Piece { kind: PieceKind::Done, bytes: raw },
            EventKind::Done => {
                interrupted("The upstream ended the stream before the completion was finished.")
            }
            EventKind::Broken => interrupted("The upstream's stream became unreadable."),
        }
    }

    /// What to send when the upstream stops.
    pub fn stopped(&self, stop: Stop) -> Piece {
        // A completion that has its finish_reason is whole, whatever befell the connection then.
        if self.is_complete() {
            return done();
        }
        match stop {
            Stop::Clean => interrupted("The upstream ended the stream before the completion was finished."),
            Stop::Cut => interrupted("The connection to the upstream was lost in the middle of the stream."),
            Stop::Gap(limit) => error_piece(
                format!(
                    "The upstream sent nothing for {} in the middle of the stream.",
                    humantime::format_duration(limit)
                ),
                "timeout",
            ),
        }
    }

    fn is_complete(&self) -> bool {
        !self.seen.is_empty() && self.seen == self.finished
    }

    /// The event as it came, unless it holds a secret or is not of OpenAI's form.
    fn error_event(&self, event: &Event, mut error: ErrorObject, raw: Bytes) -> Bytes {
        let is_openai = serde_json::from_str::<Value>(&event.data)
            .is_ok_and(|value| value.pointer("/error/message").is_some_and(Value::is_string));
        let text = String::from_utf8_lossy(&raw);
        let has_secret = matches!(envelope::redacted(&text, &self.routes), std::borrow::Cow::Owned(_));
        if is_openai && !has_secret {
            return raw;
        }
        envelope::redact(&mut error, &self.routes);
        error_frame(error)
    }
}

/// `data: {"error": …}`
pub(super) fn error_frame(error: ErrorObject) -> Bytes {
    sse::encode(None, &json!({ "error": error }).to_string()).into()
}

/// `data: [DONE]`
pub(super) fn done() -> Piece {
    Piece { kind: PieceKind::Done, bytes: Bytes::from_static(b"data: [DONE]\n\n") }
}

fn interrupted(message: &str) -> Piece {
    error_piece(message.to_owned(), "stream_interrupted")
}

fn error_piece(message: String, code: &str) -> Piece {
    let error = envelope::error(message, envelope::UPSTREAM_ERROR, Some(code));
    Piece { kind: PieceKind::Interrupted, bytes: error_frame(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(data: &str) -> Event {
        Event { event: None, data: data.into(), id: String::new(), retry: None, span: 0..1 }
    }

    fn read(reader: &mut Reader, data: &str) -> Piece {
        reader.event(&event(data), Bytes::from(format!("data:{data}\r\r")))
    }

    const TEXT: &str = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#;
    const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

    fn reader() -> Reader {
        Reader::new(Arc::from([]))
    }

    #[test]
    fn good_events_pass_byte_for_byte() {
        let mut reader = reader();
        for (data, kind) in [
            (TEXT, PieceKind::Content),
            (STOP, PieceKind::Other),
            (r#"{"choices":[],"usage":{}}"#, PieceKind::Other),
            ("[DONE]", PieceKind::Done),
        ] {
            assert_eq!(
                read(&mut reader, data),
                Piece { kind, bytes: Bytes::from(format!("data:{data}\r\r")) }
            );
        }
    }

    #[test]
    fn a_stream_that_stops_is_a_failure_until_every_choice_has_finished() {
        let mut reader = reader();
        read(&mut reader, TEXT);
        read(&mut reader, r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#);
        read(&mut reader, STOP);
        for stop in [Stop::Clean, Stop::Cut, Stop::Gap(Duration::from_secs(2))] {
            assert_eq!(reader.stopped(stop).kind, PieceKind::Interrupted);
        }
        assert_eq!(read(&mut reader, "[DONE]").kind, PieceKind::Interrupted);
        read(&mut reader, r#"{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}"#);
        assert_eq!(reader.stopped(Stop::Clean), done());
    }

    #[test]
    fn the_frame_of_a_gap_says_timeout() {
        let piece = reader().stopped(Stop::Gap(Duration::from_millis(1500)));
        insta::assert_snapshot!(
            String::from_utf8_lossy(&piece.bytes).trim_end(),
            @r#"data: {"error":{"message":"The upstream sent nothing for 1s 500ms in the middle of the stream.","type":"upstream_error","param":null,"code":"timeout"}}"#
        );
    }

    #[test]
    fn an_error_event_passes_as_it_came_if_it_has_the_form_and_is_reworded_if_not() {
        let mut reader = reader();
        let good = r#"{"error":{"message":"m","type":"t"}}"#;
        assert_eq!(read(&mut reader, good).bytes, format!("data:{good}\r\r"));
        let piece = read(&mut reader, r#"{"error":"busy"}"#);
        assert_eq!(piece.kind, PieceKind::ErrorEvent);
        assert_eq!(
            piece.bytes,
            "data: {\"error\":{\"message\":\"busy\",\"type\":\"upstream_error\",\"param\":null,\"code\":null}}\n\n"
        );
    }

    #[test]
    fn an_error_event_is_recognised_by_its_name_too() {
        let named = |data: &str| kind_of(&Event { event: Some("error".into()), ..event(data) });
        assert!(matches!(named("plain words"), EventKind::Error(_)));
        assert!(matches!(named(r#"{"message":"m"}"#), EventKind::Error(_)));
        assert_eq!(kind_of(&event("plain words")), EventKind::Broken);
        assert!(matches!(kind_of(&event(r#"{"choices":[],"error":null}"#)), EventKind::Chunk { .. }));
    }
}
