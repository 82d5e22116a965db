//! Applies a defect to the pieces of a stream.

use super::{
    Defect,
    dialect::{self, DialectError},
    envelope,
    stream::{PieceKind, Reader, StreamPiece},
};
use crate::scenario::Api;

/// Applies the defect to one stream. Without a defect every piece passes unchanged.
#[derive(Debug)]
pub(super) struct StreamTamper {
    defect: Option<Defect>,
    /// The caller's API.
    api: Api,
    /// A piece of content that is held back until the next good piece.
    held: Option<StreamPiece>,
    begun: bool,
    content_seen: bool,
    failed: bool,
    /// Whether this is the third, sixth, … cut stream of its route.
    pub is_third_cut: bool,
}

impl StreamTamper {
    pub(super) fn new(defect: Option<Defect>, api: Api) -> Self {
        Self {
            defect,
            api,
            held: None,
            begun: false,
            content_seen: false,
            failed: false,
            is_third_cut: false,
        }
    }

    /// Returns the pieces to send instead of `piece`.
    pub(super) fn apply(&mut self, piece: StreamPiece) -> Vec<StreamPiece> {
        let is_failure = matches!(piece.kind, PieceKind::ErrorEvent | PieceKind::Interrupted);
        self.failed |= is_failure;
        let is_first_content =
            piece.kind == PieceKind::Content && !std::mem::replace(&mut self.content_seen, true);
        let is_first = !std::mem::replace(&mut self.begun, true);
        match (self.defect, piece.kind) {
            (Some(Defect::CutStreamFinished), PieceKind::Interrupted) => {
                vec![finish(self.api), done(self.api)]
            }
            (Some(Defect::ThirdCutFinished), PieceKind::Interrupted) if self.is_third_cut => {
                vec![finish(self.api), done(self.api)]
            }
            (Some(Defect::SuccessMadeUp), _) if is_failure => vec![finish(self.api), done(self.api)],
            (Some(Defect::CutStreamSilent), PieceKind::Interrupted) => vec![],
            (Some(Defect::ErrorEventSwallowed), PieceKind::ErrorEvent) => match self.api {
                // Clients of these APIs take `[DONE]` alone for a normal end.
                Api::OpenaiChat | Api::OpenaiCompletions => vec![done(self.api)],
                api => vec![finish(api), done(api)],
            },
            (Some(Defect::ErrorEventDropped), PieceKind::ErrorEvent) => vec![],
            (Some(Defect::ErrorEventDetailLost), PieceKind::ErrorEvent) => vec![StreamPiece {
                kind: PieceKind::ErrorEvent,
                bytes: dialect::error_frame(self.api, plain("Internal error"), 500, 0),
            }],
            (Some(Defect::ErrorFrameDoubled), _) if is_failure => vec![piece.clone(), piece],
            (Some(Defect::PingEventSent), _) if is_first => vec![ping(self.api), piece],
            (Some(Defect::TerminatorDropped), PieceKind::Done) => vec![],
            (Some(Defect::ChunkDoubled), _) if is_first_content => vec![piece.clone(), piece],
            (Some(Defect::ChunkDropped), PieceKind::Content) => {
                self.held.replace(piece).into_iter().collect()
            }
            (Some(Defect::ChunkDropped), _) => {
                let held = self.held.take().filter(|_| !is_failure);
                held.into_iter().chain([piece]).collect()
            }
            _ => vec![piece],
        }
    }

    /// Applies the defect to the last piece of an upstream stream that stopped.
    pub(super) fn stopped(&self, piece: StreamPiece, reader: &Reader) -> StreamPiece {
        let has_terminator = !dialect::closing(self.api).is_empty();
        if self.defect == Some(Defect::TerminatorDemanded) && piece.kind == PieceKind::Done && has_terminator
        {
            let message = "The upstream ended the stream without its terminator.";
            return reader.own_error(message.into(), 502, "stream_interrupted");
        }
        piece
    }

    /// Whether the stream is never ended.
    pub(super) fn stays_open(&self) -> bool {
        self.failed && self.defect == Some(Defect::StreamLeftOpen)
    }
}

fn plain(message: &str) -> DialectError {
    DialectError::openai(envelope::error(message.into(), "api_error", None))
}

/// A frame that reports the response as finished.
pub(super) fn finish(api: Api) -> StreamPiece {
    StreamPiece { kind: PieceKind::Other, bytes: dialect::finish(api) }
}

/// The terminator of the dialect.
pub(super) fn done(api: Api) -> StreamPiece {
    StreamPiece { kind: PieceKind::Done, bytes: dialect::closing(api) }
}

/// A ping event, which only Anthropic's dialect has.
fn ping(api: Api) -> StreamPiece {
    StreamPiece { kind: PieceKind::Other, bytes: dialect::ping(api) }
}
