//! What is read out of any dialect.

use serde_json::Value;

/// An error object as a caller or a provider writes it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ErrorObject {
    /// `error.message`, or what stands in its place; the whole text where there is no object.
    pub message: String,
    /// `error.type`; Google's `status`, AWS's `x-amzn-errortype`.
    pub kind: Value,
    /// `error.code`.
    pub code: Value,
    /// `error.param`.
    pub param: Value,
    /// Whose words `kind`, `code` and `param` are.
    pub family: Vocabulary,
    /// The JSON that it was read from.
    pub raw: Value,
}

/// Whose words the members of an error object are. Only within one family can a proxy be asked to
/// keep them.
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
    /// A message, and nothing that another dialect has a place for.
    #[default]
    Other,
}

/// What a successful reply says, whole or collected from a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// The pieces of content, in order; a whole reply is one piece. Arguments of tool calls count.
    /// Of a reply that is no text (an embedding, a list of scores), a text that stands for it.
    pub pieces: Vec<String>,
    /// `finish_reason`, or what stands in its place; the last one that was given.
    pub finish: Option<String>,
}

impl Completion {
    /// A reply that is one text.
    pub(super) fn of(text: String, finish: Option<String>) -> Self {
        Self { pieces: if text.is_empty() { Vec::new() } else { vec![text] }, finish }
    }

    /// The pieces joined.
    pub fn text(&self) -> String {
        self.pieces.concat()
    }

    /// Whether the limit of tokens cut it off, in the word of any dialect; `None` where nothing is said
    /// of how it ended.
    pub fn is_cut_by_limit(&self) -> Option<bool> {
        let word = self.finish.as_deref()?.to_ascii_lowercase();
        Some(matches!(
            word.as_str(),
            "length" | "max_tokens" | "max_output_tokens" | "model_length" | "incomplete"
        ))
    }

    /// Whether both say the same. Arguments of a tool call are the same however their JSON is
    /// written: some dialects carry them as an object, others as text.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let (a, b) = (self.text(), other.text());
        let object = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
        a == b || object(&a).is_some_and(|value| object(&b) == Some(value))
    }
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamEvent {
    /// A part of the reply: its piece of content, if any, and its finish reason, if any.
    Chunk {
        /// A piece of text, or of a tool call's arguments.
        piece: Option<String>,
        /// Why the content ended.
        finish: Option<String>,
    },
    /// An error.
    Error(ErrorObject),
    /// The dialect's terminator.
    Done,
    /// None of these; the text says what it is.
    Odd(String),
}

impl StreamEvent {
    /// An event of the dialect that says nothing a rule looks at.
    pub(super) const NOTHING: Self = Self::Chunk { piece: None, finish: None };

    pub(in crate::judge) fn piece(text: impl Into<String>) -> Self {
        Self::Chunk { piece: Some(text.into()).filter(|text| !text.is_empty()), finish: None }
    }

    pub(in crate::judge) fn finish(reason: impl Into<String>) -> Self {
        Self::Chunk { piece: None, finish: Some(reason.into()) }
    }
}
