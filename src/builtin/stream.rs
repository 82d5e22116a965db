//! Converts the events of an upstream stream to pieces for the caller, after a 200 has been sent. Pure:
//! events in, pieces out.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    dialect::{self, DialectError, ErrorForm, FrameMeaning, TypedStream, meaning},
    envelope,
    secrets::Secrets,
    translate::Translator,
};
use crate::{
    scenario::Api,
    wire::frames::{Frame, RawFrame},
};

/// A piece of a stream, to be sent to the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StreamPiece {
    pub kind: PieceKind,
    pub bytes: Bytes,
}

/// The kind of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// A chunk with content.
    Content,
    /// Any other chunk.
    Other,
    /// The upstream's own error event.
    ErrorEvent,
    /// The proxy's own error event: the stream broke off.
    Interrupted,
    /// `[DONE]`
    Done,
}

impl PieceKind {
    /// Whether no other piece follows it.
    pub(super) fn is_last(self) -> bool {
        matches!(self, Self::ErrorEvent | Self::Interrupted | Self::Done)
    }
}

/// How an upstream stream stopped without a final event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UpstreamStop {
    /// The HTTP message ended completely.
    Clean,
    /// The connection was lost.
    Cut,
    /// The body is not in the content coding that its headers declare.
    Miscoded,
    /// The upstream sent nothing for this time.
    Gap(Duration),
}

/// Reads one stream, from its first frame to its end.
#[derive(Debug)]
pub(super) struct Reader {
    secrets: Arc<Secrets>,
    /// The upstream's API.
    upstream: Api,
    /// The caller's API.
    caller: Api,
    /// Translates the frames, if the two APIs differ.
    translator: Option<Translator>,
    /// The choices that have appeared.
    seen: BTreeSet<u64>,
    /// The choices that have ended.
    finished: BTreeSet<u64>,
    /// What the caller has got, if it reads a Responses stream.
    typed: TypedStream,
}

impl Reader {
    /// `secrets` are removed from every error event. `include_usage` is the option of a chat request.
    pub(super) fn new(secrets: Arc<Secrets>, caller: Api, upstream: Api, include_usage: bool) -> Self {
        let translator = Translator::new(caller, upstream, include_usage);
        let (seen, finished) = (BTreeSet::new(), BTreeSet::new());
        Self { secrets, upstream, caller, translator, seen, finished, typed: TypedStream::default() }
    }

    /// Returns the piece to send for a frame.
    pub(super) fn frame(&mut self, RawFrame { frame, raw }: &RawFrame) -> StreamPiece {
        let raw = raw.clone();
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
                    None => {
                        self.note(frame);
                        raw
                    }
                };
                StreamPiece { kind: if has_content { PieceKind::Content } else { PieceKind::Other }, bytes }
            }
            FrameMeaning::Error(error) => {
                StreamPiece { kind: PieceKind::ErrorEvent, bytes: self.error_event(frame, error, raw) }
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

    /// Returns the piece to send when the upstream stops.
    pub(super) fn stopped(&mut self, stop: UpstreamStop) -> StreamPiece {
        // A completion with its finish_reason is complete, whatever happens to the connection after it.
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
            UpstreamStop::Miscoded => self.interrupted("The upstream's stream became unreadable."),
            UpstreamStop::Gap(limit) => {
                let limit = humantime::format_duration(limit);
                let message = format!("The upstream sent nothing for {limit} in the middle of the stream.");
                self.own_error(message, 504, "timeout")
            }
        }
    }

    /// Returns the piece to send for bytes that do not form a frame, if they are a JSON error.
    pub(super) fn bare(&mut self, rest: &Bytes) -> Option<StreamPiece> {
        let value = serde_json::from_slice(rest).ok().filter(|_| !self.is_complete())?;
        let error = DialectError::of_value(ErrorForm::of(self.upstream), &value)?;
        let frame = Frame { event: None, data: String::from_utf8_lossy(rest).into_owned() };
        // Only Google's SDKs read an error without `data:` before it.
        let bytes = match self.caller {
            Api::GeminiGenerate => self.error_event(&frame, error, rest.clone()),
            _ => self.rewritten(&frame, error),
        };
        Some(StreamPiece { kind: PieceKind::ErrorEvent, bytes })
    }

    fn is_complete(&self) -> bool {
        !self.seen.is_empty() && self.seen == self.finished
    }

    /// The event unchanged, unless it contains a secret or does not have the form of the caller's API.
    fn error_event(&mut self, frame: &Frame, error: DialectError, raw: Bytes) -> Bytes {
        let text = String::from_utf8_lossy(&raw);
        let has_secret = matches!(self.secrets.redacted(&text), Cow::Owned(_));
        let is_callers_form = self.upstream == self.caller && dialect::passes_unchanged(self.caller, frame);
        if !is_callers_form || has_secret {
            return self.rewritten(frame, error);
        }
        let ends = crate::dialect::closes_error(self.caller, frame.event.as_deref(), &frame.data);
        if self.caller != Api::OpenaiResponses || ends {
            return raw;
        }
        self.note(frame);
        [raw, self.typed.failed(&error)].concat().into()
    }

    /// The event in the caller's form, with secrets removed.
    fn rewritten(&self, frame: &Frame, error: DialectError) -> Bytes {
        let status = super::classify::status_of(frame, &error);
        let mut error = error.into_form(ErrorForm::of(self.caller), status);
        self.secrets.redact(&mut error.error);
        self.secrets.redact(&mut error.around);
        dialect::error_frame(self.caller, error, status, &self.typed)
    }

    /// Takes note of an event that is passed on.
    fn note(&mut self, frame: &Frame) {
        if self.caller == Api::OpenaiResponses {
            self.typed.passed(&frame.data);
        }
    }

    fn interrupted(&self, message: &str) -> StreamPiece {
        self.own_error(message.to_owned(), 502, "stream_interrupted")
    }

    /// The proxy's own error event: the stream broke off.
    pub(super) fn own_error(&self, message: String, status: u16, code: &str) -> StreamPiece {
        let error = DialectError::openai(envelope::error(message, envelope::UPSTREAM_ERROR, Some(code)));
        let bytes = dialect::error_frame(self.caller, error, status, &self.typed);
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
    fn valid_events_pass_byte_for_byte() {
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
    fn the_error_frame_after_a_gap_has_the_code_timeout() {
        let piece = reader().stopped(UpstreamStop::Gap(Duration::from_millis(1500)));
        insta::assert_snapshot!(
            String::from_utf8_lossy(&piece.bytes).trim_end(),
            @r#"data: {"error":{"message":"The upstream sent nothing for 1s 500ms in the middle of the stream.","type":"upstream_error","param":null,"code":"timeout"}}"#
        );
    }

    #[test]
    fn an_error_event_passes_unchanged_if_it_has_the_callers_form_and_is_rewritten_if_not() {
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
    fn an_error_event_is_also_recognised_by_its_name() {
        let kind_of = |frame: &Frame| meaning(Api::OpenaiChat, frame);
        let named = |data: &str| kind_of(&Frame { event: Some("error".into()), ..event(data) });
        assert!(matches!(named("plain words"), FrameMeaning::Error(_)));
        assert!(matches!(named(r#"{"message":"m"}"#), FrameMeaning::Error(_)));
        assert_eq!(kind_of(&event("plain words")), FrameMeaning::Broken);
        assert!(matches!(kind_of(&event(r#"{"choices":[],"error":null}"#)), FrameMeaning::Part { .. }));
    }
}
