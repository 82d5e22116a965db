//! Defects of sessions.

use serde_json::{Value, json};
use tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::builtin::{
    extension::{Extension, SessionEnd},
    failure::{CallFailure, Cause},
    reply::{SessionSource, close_frame},
};

/// Changes events of the upstream, or drops those for which the function returns `None`.
#[derive(Debug)]
pub(super) struct SessionEventsChanged(pub fn(Value) -> Option<Value>);

impl Extension for SessionEventsChanged {
    fn session_event(&self, text: String) -> Option<String> {
        let Ok(event) = serde_json::from_str::<Value>(&text) else { return Some(text) };
        let changed = (self.0)(event.clone())?;
        Some(if changed == event { text } else { changed.to_string() })
    }
}

pub(super) fn is_error(event: &Value) -> bool {
    event["type"] == "error"
}

pub(super) fn lose_detail(mut event: Value) -> Option<Value> {
    if is_error(&event) {
        event["error"]["message"] = json!("Internal error");
    }
    Some(event)
}

pub(super) fn error_as_string(mut event: Value) -> Option<Value> {
    if is_error(&event) {
        event["error"] = event["error"]["message"].take();
    }
    Some(event)
}

pub(super) fn lose_first_content(event: Value) -> Option<Value> {
    let is_first = event["type"] == "response.output_text.delta"
        && event["delta"].as_str().is_some_and(|piece| piece.starts_with("[1]"));
    (!is_first).then_some(event)
}

/// Closes a session normally in place of passing on an error event.
#[derive(Debug)]
pub(super) struct SessionErrorHidden;

impl Extension for SessionErrorHidden {
    fn closes_instead(&self, message: &Message) -> bool {
        let Message::Text(text) = message else { return false };
        serde_json::from_str(text.as_str()).is_ok_and(|event| is_error(&event))
    }
}

/// Ends a session in another way than the upstream did.
#[derive(Debug)]
pub(super) struct SessionEndChanged(pub fn(CloseFrame) -> SessionEnd);

impl Extension for SessionEndChanged {
    fn session_end(&self, frame: CloseFrame) -> SessionEnd {
        (self.0)(frame)
    }
}

pub(super) fn closed(frame: CloseFrame) -> SessionEnd {
    SessionEnd::Close { before: None, frame }
}

pub(super) fn forged(frame: CloseFrame) -> SessionEnd {
    let response = json!({"object": "realtime.response", "status": "completed"});
    SessionEnd::Close { before: Some(json!({"type": "response.done", "response": response})), frame }
}

/// Accepts a handshake that the upstream refused.
#[derive(Debug)]
pub(super) struct RefusalAccepted(pub fn(&CallFailure) -> SessionSource);

impl Extension for RefusalAccepted {
    fn session_instead(&self, failure: &CallFailure) -> Option<SessionSource> {
        matches!(failure.cause, Cause::Status(_)).then(|| (self.0)(failure))
    }
}

/// The end of the message as a close frame, which has room for a reason of 123 bytes (RFC 6455 section 5.5).
pub(super) fn close_with_message(failure: &CallFailure) -> SessionSource {
    let message: String = failure.error.message().chars().rev().take(100).collect();
    let end: String = message.chars().rev().collect();
    SessionSource::Absent(Some(close_frame(CloseCode::Error, &end)))
}
