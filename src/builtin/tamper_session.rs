//! The hooks through which a defect reaches a session.

use serde_json::{Value, json};
use tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{
    Defect,
    failure::{CallFailure, Cause},
    session::{self, SessionSource},
};

/// Bends an event of the upstream's; `None` where it is held back.
pub(super) fn event(defect: Option<Defect>, text: String) -> Option<String> {
    let Some(defect) = defect else { return Some(text) };
    let Ok(mut event) = serde_json::from_str::<Value>(&text) else { return Some(text) };
    let is_error = event["type"] == "error";
    match defect {
        Defect::SessionErrorSwallowed if is_error => return None,
        Defect::SessionDetailLost if is_error => event["error"]["message"] = json!("Internal error"),
        Defect::SessionErrorAsString if is_error => event["error"] = event["error"]["message"].take(),
        Defect::SessionEventLost
            if event["type"] == "response.output_text.delta"
                && event["delta"].as_str().is_some_and(|piece| piece.starts_with("[1]")) =>
        {
            return None;
        }
        _ => return Some(text),
    }
    Some(event.to_string())
}

/// Whether the session is ended as if all were well in place of this message.
pub(super) fn closes_instead(defect: Option<Defect>, message: &Message) -> bool {
    let is_error =
        |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|event| event["type"] == "error");
    defect == Some(Defect::SessionErrorAsGoodbye)
        && matches!(message, Message::Text(text) if is_error(text.as_str()))
}

/// How a caller is told of the end of the upstream's session.
pub(super) enum SessionEnd {
    Close {
        /// An event before it.
        before: Option<Value>,
        frame: CloseFrame,
    },
    /// The connection ends, and nothing is said.
    Cut,
    /// Nothing happens.
    Silence,
}

/// Bends the end of a session.
pub(super) fn end(defect: Option<Defect>, frame: CloseFrame) -> SessionEnd {
    let close = |frame| SessionEnd::Close { before: None, frame };
    match defect {
        Some(Defect::SessionLeftOpen) => SessionEnd::Silence,
        Some(Defect::SessionCut) => SessionEnd::Cut,
        Some(Defect::SessionEndAsGoodbye) => close(CloseFrame { code: CloseCode::Normal, ..frame }),
        Some(Defect::CloseCodeReplaced) if frame.code != CloseCode::Error => {
            close(CloseFrame { code: CloseCode::Error, ..frame })
        }
        Some(Defect::CloseReasonLost) => close(session::frame(frame.code, "")),
        Some(Defect::SessionForged) => SessionEnd::Close { before: Some(session::forged()), frame },
        _ => close(frame),
    }
}

/// What a caller gets in place of a refused handshake, if a defect lets it in all the same.
pub(super) fn refused(defect: Option<Defect>, failure: &CallFailure) -> Option<SessionSource> {
    if !matches!(failure.cause, Cause::Status(_)) {
        return None;
    }
    match defect? {
        Defect::RefusalUpgraded => Some(SessionSource::Nobody(None)),
        Defect::RefusalAsClose => {
            // The frame has room for so many bytes (RFC 6455 section 5.5).
            let message: String = failure.error.message().chars().rev().take(100).collect();
            let end: String = message.chars().rev().collect();
            Some(SessionSource::Nobody(Some(session::frame(CloseCode::Error, &end))))
        }
        _ => None,
    }
}
