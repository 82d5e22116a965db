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
    begun: bool,
    content_seen: bool,
    failed: bool,
}

impl Tamper {
    pub fn new(defect: Option<Defect>) -> Self {
        Self { defect, held: None, begun: false, content_seen: false, failed: false }
    }

    /// What is sent in place of `piece`.
    pub fn apply(&mut self, piece: Piece) -> Vec<Piece> {
        let is_failure = matches!(piece.kind, PieceKind::ErrorEvent | PieceKind::Interrupted);
        self.failed |= is_failure;
        let is_first_content =
            piece.kind == PieceKind::Content && !std::mem::replace(&mut self.content_seen, true);
        let is_first = !std::mem::replace(&mut self.begun, true);
        match (self.defect, piece.kind) {
            (Some(Defect::CutStreamFinished), PieceKind::Interrupted) => vec![finish(), done()],
            (Some(Defect::CutStreamSilent), PieceKind::Interrupted) => vec![],
            (Some(Defect::ErrorEventSwallowed), PieceKind::ErrorEvent) => vec![done()],
            (Some(Defect::ErrorEventDetailLost), PieceKind::ErrorEvent) => vec![Piece {
                kind: PieceKind::ErrorEvent,
                bytes: error_frame(envelope::error("Internal error".into(), "api_error", None)),
            }],
            (Some(Defect::ErrorFrameDoubled), _) if is_failure => vec![piece.clone(), piece],
            (Some(Defect::PingEventSent), _) if is_first => vec![ping(), piece],
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

    /// What is made of an upstream stream that stopped by itself.
    pub fn stopped(&self, piece: Piece) -> Piece {
        if self.defect == Some(Defect::TerminatorDemanded) && piece.kind == PieceKind::Done {
            let message = "The upstream ended the stream without its terminator.";
            let error = envelope::error(message.into(), envelope::UPSTREAM_ERROR, Some("stream_interrupted"));
            return Piece { kind: PieceKind::Interrupted, bytes: error_frame(error) };
        }
        piece
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

/// An event that OpenAI's dialect does not have.
fn ping() -> Piece {
    Piece { kind: PieceKind::Other, bytes: sse::encode(Some("ping"), r#"{"type": "ping"}"#).into() }
}
