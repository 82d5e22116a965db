//! What becomes of each event of an upstream stream once a 200 has been sent. Pure: events in,
//! pieces out.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    dialect::{self, DialectError, ErrorForm, FrameMeaning, meaning},
    envelope,
    secrets::Secrets,
    split::RawFrame,
    translate::Translator,
};
use crate::{scenario::Api, wire::frames::Frame};

/// Something to be sent to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamPiece {
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
pub(super) enum UpstreamStop {
    /// The HTTP framing came to its end.
    Clean,
    /// The connection was lost.
    Cut,
    /// Nothing came for so long.
    Gap(Duration),
}

/// Follows one stream, from its first frame to its end.
#[derive(Debug)]
pub(super) struct Reader {
    secrets: Arc<Secrets>,
    /// Whose frames come.
    upstream: Api,
    /// Whose frames are sent.
    caller: Api,
    /// Where the two differ.
    translator: Option<Translator>,
    seen: BTreeSet<u64>,
    finished: BTreeSet<u64>,
    /// Frames that have come.
    frames: u64,
}

impl Reader {
    /// `secrets` are what no error event may carry out. `include_usage` is what the
    /// caller of a chat asked for.
    pub fn new(secrets: Arc<Secrets>, caller: Api, upstream: Api, include_usage: bool) -> Self {
        let translator = Translator::new(caller, upstream, include_usage);
        let (seen, finished) = (BTreeSet::new(), BTreeSet::new());
        Self { secrets, upstream, caller, translator, seen, finished, frames: 0 }
    }

    /// What to send for a frame.
    pub fn frame(&mut self, RawFrame { frame, raw }: &RawFrame) -> StreamPiece {
        let raw = raw.clone();
        self.frames += 1;
        match meaning(self.upstream, frame) {
            FrameMeaning::Part { choices, has_content } => {
                for (index, finished) in choices {
                    self.seen.insert(index);
                    if finished {
                        self.finished.insert(index);
                    }
                }
                let bytes = match &mut self.translator {
                    Some(translator) => translator.frame(frame),
                    None => raw,
                };
                StreamPiece { kind: if has_content { PieceKind::Content } else { PieceKind::Other }, bytes }
            }
            FrameMeaning::Error(told) => {
                StreamPiece { kind: PieceKind::ErrorEvent, bytes: self.error_event(frame, told, raw) }
            }
            FrameMeaning::Done { is_whole } if is_whole || self.is_complete() => StreamPiece {
                kind: PieceKind::Done,
                bytes: self.translator.as_mut().map_or(raw, Translator::end),
            },
            FrameMeaning::Done { .. } => {
                self.interrupted("The upstream ended the stream before the completion was finished.")
            }
            FrameMeaning::Broken => self.interrupted("The upstream's stream became unreadable."),
        }
    }

    /// What to send when the upstream stops.
    pub fn stopped(&mut self, stop: UpstreamStop) -> StreamPiece {
        // A completion that has its finish_reason is whole, whatever befell the connection then.
        if self.is_complete() {
            let closing = || dialect::closing(self.caller);
            let bytes = self.translator.as_mut().map_or_else(closing, Translator::end);
            return StreamPiece { kind: PieceKind::Done, bytes };
        }
        match stop {
            UpstreamStop::Clean => {
                self.interrupted("The upstream ended the stream before the completion was finished.")
            }
            UpstreamStop::Cut => {
                self.interrupted("The connection to the upstream was lost in the middle of the stream.")
            }
            UpstreamStop::Gap(limit) => {
                let limit = humantime::format_duration(limit);
                let message = format!("The upstream sent nothing for {limit} in the middle of the stream.");
                self.own_error(message, 504, "timeout")
            }
        }
    }

    /// What to send for bytes that made no frame, if they are an error that came bare.
    pub fn bare(&self, rest: &Bytes) -> Option<StreamPiece> {
        let value = serde_json::from_slice(rest).ok().filter(|_| !self.is_complete())?;
        let told = DialectError::of_value(ErrorForm::of(self.upstream), &value)?;
        let frame = Frame { event: None, data: String::from_utf8_lossy(rest).into_owned() };
        // Only Google's SDKs look for it without a `data:` before it.
        let bytes = match self.caller {
            Api::GeminiGenerate => self.error_event(&frame, told, rest.clone()),
            _ => self.reworded(&frame, told),
        };
        Some(StreamPiece { kind: PieceKind::ErrorEvent, bytes })
    }

    fn is_complete(&self) -> bool {
        !self.seen.is_empty() && self.seen == self.finished
    }

    /// The event as it came, unless it holds a secret or is not of the caller's form.
    fn error_event(&self, frame: &Frame, told: DialectError, raw: Bytes) -> Bytes {
        let text = String::from_utf8_lossy(&raw);
        let has_secret = matches!(self.secrets.redacted(&text), Cow::Owned(_));
        let is_own = self.upstream == self.caller && dialect::passes_as_it_came(self.caller, frame);
        if is_own && !has_secret {
            return raw;
        }
        self.reworded(frame, told)
    }

    /// The event in the caller's form, cleaned of secrets.
    fn reworded(&self, frame: &Frame, told: DialectError) -> Bytes {
        let status = super::classify::status_of(self.upstream, frame, &told);
        let mut told = told.into_family(ErrorForm::of(self.caller), status);
        self.secrets.redact(&mut told.error);
        self.secrets.redact(&mut told.around);
        dialect::error_frame(self.caller, told, status, self.frames)
    }

    fn interrupted(&self, message: &str) -> StreamPiece {
        self.own_error(message.to_owned(), 502, "stream_interrupted")
    }

    /// The proxy's own word that the stream broke off.
    pub fn own_error(&self, message: String, status: u16, code: &str) -> StreamPiece {
        let told = DialectError::openai(envelope::error(message, envelope::UPSTREAM_ERROR, Some(code)));
        let bytes = dialect::error_frame(self.caller, told, status, self.frames);
        StreamPiece { kind: PieceKind::Interrupted, bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(data: &str) -> Frame {
        Frame { event: None, data: data.into() }
    }

    fn read(reader: &mut Reader, data: &str) -> StreamPiece {
        reader.frame(&RawFrame { frame: event(data), raw: Bytes::from(format!("data:{data}\r\r")) })
    }

    const TEXT: &str = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}"#;
    const STOP: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;

    fn reader() -> Reader {
        Reader::new(Arc::new(Secrets::of(Arc::from([]))), Api::OpenaiChat, Api::OpenaiChat, false)
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
                StreamPiece { kind, bytes: Bytes::from(format!("data:{data}\r\r")) }
            );
        }
    }

    #[test]
    fn a_stream_that_stops_is_a_failure_until_every_choice_has_finished() {
        let mut reader = reader();
        read(&mut reader, TEXT);
        read(&mut reader, r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#);
        read(&mut reader, STOP);
        for stop in [UpstreamStop::Clean, UpstreamStop::Cut, UpstreamStop::Gap(Duration::from_secs(2))] {
            assert_eq!(reader.stopped(stop).kind, PieceKind::Interrupted);
        }
        assert_eq!(read(&mut reader, "[DONE]").kind, PieceKind::Interrupted);
        read(&mut reader, r#"{"choices":[{"index":1,"delta":{},"finish_reason":"length"}]}"#);
        let done = StreamPiece { kind: PieceKind::Done, bytes: Bytes::from_static(b"data: [DONE]\n\n") };
        assert_eq!(reader.stopped(UpstreamStop::Clean), done);
    }

    #[test]
    fn the_frame_of_a_gap_says_timeout() {
        let piece = reader().stopped(UpstreamStop::Gap(Duration::from_millis(1500)));
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
        let kind_of = |frame: &Frame| meaning(Api::OpenaiChat, frame);
        let named = |data: &str| kind_of(&Frame { event: Some("error".into()), ..event(data) });
        assert!(matches!(named("plain words"), FrameMeaning::Error(_)));
        assert!(matches!(named(r#"{"message":"m"}"#), FrameMeaning::Error(_)));
        assert_eq!(kind_of(&event("plain words")), FrameMeaning::Broken);
        assert!(matches!(kind_of(&event(r#"{"choices":[],"error":null}"#)), FrameMeaning::Part { .. }));
    }
}
