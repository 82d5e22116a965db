//! Defects in the error events of streams, and in what follows a long event.

use bytes::Bytes;
use serde_json::{Value, json};

use super::streams::PieceContext;
use crate::{
    builtin::{
        dialect::{self, DialectError, ErrorForm, TypedStream},
        stream::{PieceKind, StreamPiece},
    },
    dialect::carrier,
    wire::frames,
};

/// The longest event that a reader with a limit accepts, in bytes.
const LONGEST_EVENT: usize = 64 * 1024;

/// The error of an error event, in the caller's form.
fn error_of(context: &PieceContext, bytes: &Bytes) -> Option<(DialectError, Value)> {
    let form = ErrorForm::of(context.api);
    frames::decode(carrier(context.api), bytes).iter().find_map(|frame| {
        let value: Value = serde_json::from_str(&frame.data).ok()?;
        Some((DialectError::of_value(form, &value)?, value))
    })
}

/// Replaces the error of an error event.
fn rewritten(
    context: &PieceContext,
    piece: StreamPiece,
    change: impl FnOnce(&mut DialectError, &Value),
) -> Vec<StreamPiece> {
    match error_of(context, &piece.bytes).filter(|_| piece.kind == PieceKind::ErrorEvent) {
        Some((mut error, value)) => {
            change(&mut error, &value);
            vec![StreamPiece {
                bytes: dialect::error_frame(context.api, error, 500, &TypedStream::default()),
                ..piece
            }]
        }
        None => vec![piece],
    }
}

/// Removes the code, and replaces the type with `api_error`.
pub(super) fn lose_code_and_type(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    rewritten(context, piece, |error, _| {
        for (name, value) in [("code", Value::Null), ("type", json!("api_error"))] {
            if let Some(member) = error.error.get_mut(name) {
                *member = value;
            }
        }
    })
}

/// Puts the whole event into the message, as the text that a program would write into a log.
pub(super) fn escape(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    rewritten(context, piece, |error, value| {
        let text = format!("Received error: {}", Value::from(value.to_string()));
        error.error.insert("message".into(), json!(text));
    })
}

/// Reports an error event by a finish reason alone.
pub(super) fn finish_with_error(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    if piece.kind != PieceKind::ErrorEvent || carrier(context.api) != frames::Carrier::Sse {
        return vec![piece];
    }
    let finish = String::from_utf8_lossy(&dialect::finish(context.api)).into_owned();
    let words = [r#""stop""#, r#""end_turn""#, r#""STOP""#, r#""COMPLETE""#];
    let finish = words.iter().fold(finish, |text, word| text.replace(word, r#""error""#));
    let bytes = [finish.into_bytes(), dialect::closing(context.api).to_vec()].concat().into();
    vec![StreamPiece { kind: PieceKind::Done, bytes }]
}

/// Takes an event that is longer than its limit for the end of the stream.
pub(super) fn end_at_long_event(context: &mut PieceContext, piece: StreamPiece) -> Vec<StreamPiece> {
    if context.held.is_none() && piece.bytes.len() <= LONGEST_EVENT {
        return vec![piece];
    }
    context.held = Some(piece);
    vec![]
}
