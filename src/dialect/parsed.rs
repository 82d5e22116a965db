//! The result of parsing, which is the same for all dialects.

use serde_json::Value;

use super::finish::FinishMeaning;

/// An error object from a provider or a proxy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorObject {
    /// `error.message`, or its equivalent in the dialect; the text itself if the error is not an object.
    pub message: String,
    /// `error.type`; Google's `status`, AWS's `x-amzn-errortype`.
    pub kind: Value,
    /// `error.code`.
    pub code: Value,
    /// `error.param`.
    pub param: Value,
    /// The vocabulary of `kind`, `code` and `param`.
    pub family: Vocabulary,
    /// The JSON from which the error was parsed.
    pub raw: Value,
}

/// The provider family that defines the values of an error object's members. A proxy can keep them only between
/// dialects of the same family.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Vocabulary {
    /// `type`, `code` and `param`, nested or flat.
    OpenAi,
    /// `type`.
    Anthropic,
    /// `status` and `code`.
    Google,
    /// The type in a header or in the name of an event.
    Aws,
    /// Only a message, and members that no other dialect has.
    #[default]
    Other,
}

/// The content of a successful response, from a body or collected from a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// The pieces of content in order, including arguments of tool calls. A plain body is one piece. A response that
    /// is not text (embeddings, a list of scores) is converted into a text.
    pub pieces: Vec<String>,
    /// `finish_reason`, or its equivalent in the dialect; the last one if there are several.
    pub finish: Option<String>,
}

impl Completion {
    /// A completion of at most one piece.
    pub(super) fn of(text: String, finish: Option<String>) -> Self {
        Self { pieces: if text.is_empty() { Vec::new() } else { vec![text] }, finish }
    }

    /// The pieces joined.
    pub fn text(&self) -> String {
        self.pieces.concat()
    }

    /// What the finish reason means; `None` without a finish reason.
    pub fn ended_by(&self) -> Option<FinishMeaning> {
        self.finish.as_deref().map(FinishMeaning::of)
    }

    /// Whether both have the same content. Arguments of a tool call are compared as JSON, because some dialects send
    /// them as an object and others as text.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let (a, b) = (self.text(), other.text());
        let object = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
        a == b || object(&a).is_some_and(|value| object(&b) == Some(value))
    }
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StreamEvent {
    /// A part of the response.
    Chunk {
        /// A piece of text or of a tool call's arguments, if any.
        piece: Option<String>,
        /// The finish reason, if any.
        finish: Option<String>,
    },
    /// An error.
    Error(ErrorObject),
    /// The dialect's terminator.
    Done,
    /// An event that is not part of the dialect, with its data.
    Odd(String),
}

impl StreamEvent {
    /// An event of the dialect that contains nothing that a rule uses.
    pub(super) const NOTHING: Self = Self::Chunk { piece: None, finish: None };

    pub(crate) fn piece(text: impl Into<String>) -> Self {
        Self::Chunk { piece: Some(text.into()).filter(|text| !text.is_empty()), finish: None }
    }

    pub(crate) fn finish(reason: impl Into<String>) -> Self {
        Self::Chunk { piece: None, finish: Some(reason.into()) }
    }
}
