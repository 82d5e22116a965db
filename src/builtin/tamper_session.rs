//! Applies a defect to a session.

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

/// Applies the defect to an event of the upstream; `None` if the defect drops it.
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

/// Whether the session is closed normally instead of passing this message on.
pub(super) fn closes_instead(defect: Option<Defect>, message: &Message) -> bool {
    let is_error =
        |text: &str| serde_json::from_str::<Value>(text).is_ok_and(|event| event["type"] == "error");
    defect == Some(Defect::SessionErrorAsGoodbye)
        && matches!(message, Message::Text(text) if is_error(text.as_str()))
}

/// How the session with the caller ends after the upstream has ended it.
pub(super) enum SessionEnd {
    /// With a close frame.
    Close {
        /// An event to send before the close frame.
        before: Option<Value>,
        frame: CloseFrame,
    },
    /// The connection is closed without a close frame.
    Cut,
    /// The session stays open and silent.
    Silence,
}

/// Applies the defect to the end of a session.
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

/// The session that a caller gets instead of a refused handshake; `None` unless the defect accepts the
/// handshake anyway.
pub(super) fn refused(defect: Option<Defect>, failure: &CallFailure) -> Option<SessionSource> {
    if !matches!(failure.cause, Cause::Status(_)) {
        return None;
    }
    match defect? {
        Defect::RefusalUpgraded => Some(SessionSource::Absent(None)),
        Defect::RefusalAsClose => {
            // The end of the message: a close frame has room for a reason of 123 bytes (RFC 6455 section
            // 5.5).
            let message: String = failure.error.message().chars().rev().take(100).collect();
            let end: String = message.chars().rev().collect();
            Some(SessionSource::Absent(Some(session::frame(CloseCode::Error, &end))))
        }
        _ => None,
    }
}
