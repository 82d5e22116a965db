//! Reads chat completions, whole and in pieces, as far as the rules need them.
//!
//! Both sides of the proxy are read by the same code, so that what was sent and what was received
//! are compared in the same terms.

use serde_json::Value;

/// An error object as a caller or a provider writes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorObject {
    /// `error.message`, or the whole text where there is no object.
    pub message: String,
    /// `error.type`.
    pub kind: Value,
    /// `error.code`.
    pub code: Value,
    /// `error.param`.
    pub param: Value,
    /// The JSON that it was read from.
    pub raw: Value,
}

/// What a successful reply says, whole or collected from a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// The pieces of content, in order; a whole reply is one piece. Arguments of tool calls count.
    pub pieces: Vec<String>,
    /// `finish_reason`, the last one that was given.
    pub finish: Option<String>,
}

impl Completion {
    /// The pieces joined.
    pub fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// One event of a chat stream.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatEvent {
    /// A chunk: its piece of content, if any, and its finish reason, if any.
    Chunk {
        /// `choices[0].delta.content`, or a piece of a tool call's arguments.
        piece: Option<String>,
        /// `choices[0].finish_reason`.
        finish: Option<String>,
    },
    /// `{"error": …}`.
    Error(ErrorObject),
    /// `[DONE]`.
    Done,
    /// Neither; the text says what it is.
    Odd(String),
}

/// Reads the data of one event of a stream.
pub fn event(data: &str) -> ChatEvent {
    if data.trim() == "[DONE]" {
        return ChatEvent::Done;
    }
    let Ok(value) = serde_json::from_str::<Value>(data) else {
        return ChatEvent::Odd(data.to_owned());
    };
    if let Some(error) = error_object(&value) {
        return ChatEvent::Error(error);
    }
    let Some(choices) = value.get("choices").and_then(Value::as_array) else {
        return ChatEvent::Odd(data.to_owned());
    };
    let choice = choices.first();
    let delta = choice.and_then(|choice| choice.get("delta"));
    ChatEvent::Chunk { piece: delta.and_then(piece), finish: choice.and_then(finish) }
}

/// Reads a whole reply; `None` if it is no completion.
pub fn completion(value: &Value) -> Option<Completion> {
    let choice = value.get("choices")?.as_array()?.first()?;
    let message = choice.get("message")?;
    message
        .is_object()
        .then(|| Completion { pieces: piece(message).into_iter().collect(), finish: finish(choice) })
}

/// Reads an error object: `{"error": {…}}` or `{"error": "text"}`.
pub fn error_object(value: &Value) -> Option<ErrorObject> {
    match value.get("error")? {
        Value::Null => None,
        Value::Object(error) => {
            let member = |name: &str| error.get(name).cloned().unwrap_or(Value::Null);
            Some(ErrorObject {
                message: error.get("message").map(text).unwrap_or_default(),
                kind: member("type"),
                code: member("code"),
                param: member("param"),
                raw: value.clone(),
            })
        }
        other => Some(ErrorObject { message: text(other), raw: value.clone(), ..ErrorObject::default() }),
    }
}

/// A value as a person would write it: text without its quotes.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn piece(holder: &Value) -> Option<String> {
    if let Some(text) = holder.get("content").and_then(Value::as_str).filter(|text| !text.is_empty()) {
        return Some(text.to_owned());
    }
    holder
        .get("tool_calls")?
        .as_array()?
        .iter()
        .filter_map(|call| call.get("function")?.get("arguments")?.as_str())
        .find(|arguments| !arguments.is_empty())
        .map(str::to_owned)
}

fn finish(choice: &Value) -> Option<String> {
    choice.get("finish_reason").and_then(Value::as_str).map(str::to_owned)
}
