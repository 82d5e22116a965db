//! Defects in the pieces of a stream.

use bytes::Bytes;

use super::failures;
use crate::{
    builtin::{
        dialect::{self, DialectError, TypedStream},
        envelope,
        extension::{Extension, FailureContext, StreamExtension},
        failure::CallFailure,
        reply::ProxyReply,
        stream::{PieceKind, Reader, StreamPiece},
    },
    proxy::ProxyRoute,
    scenario::Api,
};

/// Replaces pieces of every stream.
#[derive(Debug)]
pub(super) struct PiecesReplaced(pub ReplacePiece);

type ReplacePiece = fn(&mut PieceContext, StreamPiece) -> Vec<StreamPiece>;

impl Extension for PiecesReplaced {
    fn stream(&self, api: Api, _: &ProxyRoute) -> Option<Box<dyn StreamExtension>> {
        Some(Box::new(ReplacedStream::new(api, self.0)))
    }
}

/// What is known of a stream when a piece is replaced.
#[derive(Debug)]
pub(super) struct PieceContext {
    /// The caller's API.
    pub api: Api,
    /// Whether it is the first piece.
    pub is_first: bool,
    /// Whether it is the first piece with content.
    pub is_first_content: bool,
    /// A piece that is held back.
    pub held: Option<StreamPiece>,
    content_seen: bool,
}

#[derive(Debug)]
struct ReplacedStream {
    context: PieceContext,
    replace: ReplacePiece,
}

impl ReplacedStream {
    fn new(api: Api, replace: ReplacePiece) -> Self {
        let context =
            PieceContext { api, is_first: true, is_first_content: false, held: None, content_seen: false };
        Self { context, replace }
    }
}

impl StreamExtension for ReplacedStream {
    fn pieces(&mut self, piece: StreamPiece) -> Vec<StreamPiece> {
        let context = &mut self.context;
        context.is_first_content =
            piece.kind == PieceKind::Content && !std::mem::replace(&mut context.content_seen, true);
        let pieces = (self.replace)(context, piece);
        context.is_first = false;
        pieces
    }
}

/// Whether a piece reports a failure.
pub(super) fn is_failure(piece: &StreamPiece) -> bool {
    matches!(piece.kind, PieceKind::ErrorEvent | PieceKind::Interrupted)
}

/// A response that ends like a finished one.
pub(super) fn finished(api: Api) -> Vec<StreamPiece> {
    let finish = StreamPiece { kind: PieceKind::Other, bytes: dialect::finish(api) };
    vec![finish, done(api)]
}

/// The terminator of the dialect.
fn done(api: Api) -> StreamPiece {
    StreamPiece { kind: PieceKind::Done, bytes: dialect::closing(api) }
}

pub(super) fn finish_cut(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    if piece.kind == PieceKind::Interrupted { finished(context.api) } else { vec![piece] }
}

pub(super) fn finish_error_event(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    match context.api {
        _ if piece.kind != PieceKind::ErrorEvent => vec![piece],
        // Clients of these APIs take `[DONE]` alone for a normal end.
        Api::OpenaiChat | Api::OpenaiCompletions => vec![done(context.api)],
        api => finished(api),
    }
}

pub(super) fn lose_detail(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    if piece.kind != PieceKind::ErrorEvent {
        return vec![piece];
    }
    let error = DialectError::openai(envelope::error("Internal error".into(), "api_error", None));
    let bytes = dialect::error_frame(context.api, error, 500, &TypedStream::default());
    vec![StreamPiece { kind: PieceKind::ErrorEvent, bytes }]
}

/// The text of a piece that reports the failure of a Responses stream.
fn typed_failure(context: &PieceContext, piece: &StreamPiece) -> Option<String> {
    let is_typed = context.api == Api::OpenaiResponses && is_failure(piece);
    is_typed.then(|| String::from_utf8_lossy(&piece.bytes).into_owned())
}

pub(super) fn restart_sequence(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    const NUMBER: &str = "\"sequence_number\":";
    let Some(text) = typed_failure(context, &piece) else { return vec![piece] };
    let mut parts = text.split(NUMBER);
    let first = parts.next().unwrap_or_default().to_owned();
    let restarted =
        parts.map(|part| format!("{NUMBER}0{}", part.trim_start_matches(|c: char| c.is_ascii_digit())));
    vec![StreamPiece { bytes: restarted.fold(first, |text, part| text + &part).into(), ..piece }]
}

pub(super) fn complete_failed(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    if typed_failure(context, &piece).is_none() {
        return vec![piece];
    }
    let completed = String::from_utf8_lossy(&dialect::finish(context.api))
        .replace("\"sequence_number\":0", "\"sequence_number\":1000000");
    vec![piece, StreamPiece { kind: PieceKind::Other, bytes: completed.into() }]
}

pub(super) fn drop_failed(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    let text = typed_failure(context, &piece).unwrap_or_default();
    match text.find("event: response.failed") {
        Some(at) if at > 0 => vec![StreamPiece { bytes: piece.bytes.slice(..at), ..piece }],
        _ => vec![piece],
    }
}

/// Drops the pieces of this kind.
pub(super) fn without(kind: PieceKind, piece: StreamPiece) -> Vec<StreamPiece> {
    if piece.kind == kind { vec![] } else { vec![piece] }
}

/// Sends a piece twice if `twice`.
pub(super) fn doubled(twice: bool, piece: StreamPiece) -> Vec<StreamPiece> {
    if twice { vec![piece.clone(), piece] } else { vec![piece] }
}

/// A ping event, which only Anthropic's dialect has, before the first piece.
pub(super) fn ping_first(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    let ping = StreamPiece { kind: PieceKind::Other, bytes: dialect::ping(context.api) };
    if context.is_first { vec![ping, piece] } else { vec![piece] }
}

/// Holds each piece of content back until the next good piece.
pub(super) fn hold_content(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    if piece.kind == PieceKind::Content {
        return context.held.replace(piece).into_iter().collect();
    }
    let held = context.held.take().filter(|_| !is_failure(&piece));
    held.into_iter().chain([piece]).collect()
}

/// Collects the pieces of a stream until `size` bytes are there or the stream ends.
pub(super) fn collect(size: usize, context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    let mut held = context.held.take().map_or_else(Vec::new, |held| held.bytes.into());
    held.extend_from_slice(&piece.bytes);
    let collected = StreamPiece { bytes: held.into(), ..piece };
    if collected.kind.is_last() || collected.bytes.len() >= size {
        return vec![collected];
    }
    context.held = Some(collected);
    Vec::new()
}

/// Holds an error event back until the upstream ends its stream.
#[derive(Debug)]
pub(super) struct ErrorEventHeld;

#[derive(Debug, Default)]
struct ErrorHeldStream {
    held: Option<StreamPiece>,
}

impl Extension for ErrorEventHeld {
    fn stream(&self, _: Api, _: &ProxyRoute) -> Option<Box<dyn StreamExtension>> {
        Some(Box::new(ErrorHeldStream::default()))
    }
}

impl StreamExtension for ErrorHeldStream {
    fn reads_on(&self, piece: &StreamPiece) -> bool {
        !piece.kind.is_last() || (piece.kind == PieceKind::ErrorEvent && self.held.is_none())
    }

    fn pieces(&mut self, piece: StreamPiece) -> Vec<StreamPiece> {
        match self.held.take() {
            // What follows an error says no more than the error.
            Some(held) => vec![held],
            None if piece.kind == PieceKind::ErrorEvent => {
                self.held = Some(piece);
                Vec::new()
            }
            None => vec![piece],
        }
    }
}

/// Answers every failure with an empty completion.
#[derive(Debug)]
pub(super) struct SuccessInvented;

impl Extension for SuccessInvented {
    fn reply_instead(&self, _: &CallFailure, context: &FailureContext<'_>) -> Option<ProxyReply> {
        failures::empty_completion(context)
    }

    fn stream(&self, api: Api, _: &ProxyRoute) -> Option<Box<dyn StreamExtension>> {
        Some(Box::new(ReplacedStream::new(api, |context, piece| {
            if is_failure(&piece) { finished(context.api) } else { vec![piece] }
        })))
    }
}

/// Reports a finished stream without a terminator as incomplete.
#[derive(Debug)]
pub(super) struct TerminatorRequired;

#[derive(Debug)]
struct TerminatedStream(Api);

impl Extension for TerminatorRequired {
    fn stream(&self, api: Api, _: &ProxyRoute) -> Option<Box<dyn StreamExtension>> {
        Some(Box::new(TerminatedStream(api)))
    }
}

impl StreamExtension for TerminatedStream {
    fn stopped(&mut self, piece: StreamPiece, reader: &Reader) -> StreamPiece {
        let has_terminator = !dialect::closing(self.0).is_empty();
        if piece.kind != PieceKind::Done || !has_terminator {
            return piece;
        }
        let message = "The upstream ended the stream without its terminator.";
        reader.own_error(message.into(), 502, "stream_interrupted")
    }
}

/// Never ends a stream after its error event.
#[derive(Debug)]
pub(super) struct FailedStreamOpen;

#[derive(Debug, Default)]
struct OpenStream {
    failed: bool,
}

impl Extension for FailedStreamOpen {
    fn stream(&self, _: Api, _: &ProxyRoute) -> Option<Box<dyn StreamExtension>> {
        Some(Box::new(OpenStream::default()))
    }
}

impl StreamExtension for OpenStream {
    fn pieces(&mut self, piece: StreamPiece) -> Vec<StreamPiece> {
        self.failed |= is_failure(&piece);
        vec![piece]
    }

    fn stays_open(&self) -> bool {
        self.failed
    }
}

/// Changes the last event of a stream with pings whose call failed.
#[derive(Debug)]
pub(super) struct PingedFailureReplaced(pub fn(Api, DialectError, u16) -> Option<Bytes>);

impl Extension for PingedFailureReplaced {
    fn pinged_failure(&self, api: Api, error: DialectError, status: u16) -> Option<Bytes> {
        (self.0)(api, error, status)
    }
}

pub(super) fn finish_pinged(api: Api, _: DialectError, _: u16) -> Option<Bytes> {
    Some([dialect::finish(api), dialect::closing(api)].concat().into())
}

pub(super) fn hide_cause(api: Api, mut error: DialectError, _: u16) -> Option<Bytes> {
    error.error.insert("type".into(), "api_error".into());
    error.error.shift_remove("details");
    if let Some(code) = error.error.get_mut("code") {
        *code = serde_json::Value::Null;
    }
    Some(dialect::error_frame(api, error, 500, &TypedStream::default()))
}
