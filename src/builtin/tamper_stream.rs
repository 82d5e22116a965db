//! The hook through which a defect reaches the pieces of a stream.

use serde_json::json;

use super::{
    Defect, envelope,
    stream::{Piece, PieceKind, done, error_frame},
};
use crate::wire::sse;

/// Bends what one stream sends. Without a defect every piece passes as it is.
#[derive(Debug)]
pub(super) struct Tamper {
    defect: Option<Defect>,
    /// A piece of content that is sent with the next good piece.
    held: Option<Piece>,
    content_seen: bool,
    failed: bool,
}

impl Tamper {
    pub fn new(defect: Option<Defect>) -> Self {
        Self { defect, held: None, content_seen: false, failed: false }
    }

    /// What is sent in place of `piece`.
    pub fn apply(&mut self, piece: Piece) -> Vec<Piece> {
        let is_failure = matches!(piece.kind, PieceKind::ErrorEvent | PieceKind::Interrupted);
        self.failed |= is_failure;
        let is_first_content =
            piece.kind == PieceKind::Content && !std::mem::replace(&mut self.content_seen, true);
        match (self.defect, piece.kind) {
            (Some(Defect::CutStreamFinished), PieceKind::Interrupted) => vec![finish(), done()],
            (Some(Defect::CutStreamSilent), PieceKind::Interrupted) => vec![],
            (Some(Defect::ErrorEventSwallowed), PieceKind::ErrorEvent) => vec![done()],
            (Some(Defect::ErrorEventDetailLost), PieceKind::ErrorEvent) => vec![Piece {
                kind: PieceKind::ErrorEvent,
                bytes: error_frame(envelope::error("Internal error".into(), "api_error", None)),
            }],
            (Some(Defect::ErrorFrameDoubled), _) if is_failure => vec![piece.clone(), piece],
            (Some(Defect::DoneAfterError), _) if is_failure => vec![piece, done()],
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

    /// Whether the stream is left without an end.
    pub fn stays_open(&self) -> bool {
        self.failed && self.defect == Some(Defect::StreamLeftOpen)
    }
}

/// A chunk that says that the completion is finished.
pub(super) fn finish() -> Piece {
    let chunk = json!({
        "id": "chatcmpl-0",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": "unknown",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
    });
    Piece { kind: PieceKind::Other, bytes: sse::encode(None, &chunk.to_string()).into() }
}
