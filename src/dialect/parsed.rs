//! The result of parsing, which is the same for all dialects.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    finish::FinishMeaning,
    reasoning::reasoning,
    tool_call::{ToolCall, ToolCallPart, add_part, tool_call_parts},
};

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
    /// The pieces of text and of the arguments of tool calls, in order. A plain body is one piece of text, and one for
    /// each call. A response that is not text (embeddings, a list of scores) is converted into a text.
    pub pieces: Vec<String>,
    /// The text of the first choice, including the text of a refusal.
    pub said: String,
    /// The tool calls, in order.
    pub calls: Vec<ToolCall>,
    /// The text of the model's reasoning.
    pub reasoning: String,
    /// The text and the arguments of all choices but the first.
    pub other_choices: BTreeMap<u64, String>,
    /// `finish_reason`, or its equivalent in the dialect; the last one if there are several.
    pub finish: Option<String>,
}

impl Completion {
    /// A completion of a text.
    pub(super) fn of(text: String, finish: Option<String>) -> Self {
        Self::whole(ChunkContent::text(text), finish)
    }

    /// A completion of one body.
    pub(super) fn whole(content: ChunkContent, finish: Option<String>) -> Self {
        let mut completion = Self::default();
        completion.add(content, finish);
        completion
    }

    /// Adds the content of one event, or of one body.
    pub(crate) fn add(&mut self, content: ChunkContent, finish: Option<String>) {
        let ChunkContent { text, calls, reasoning, other_choices } = content;
        self.said.push_str(&text);
        self.pieces.extend(Some(text).filter(|text| !text.is_empty()));
        for part in calls {
            add_part(&mut self.calls, &part);
            self.pieces.extend(Some(part.arguments).filter(|piece| !piece.is_empty()));
        }
        self.reasoning.push_str(&reasoning);
        for (choice, text) in other_choices {
            self.other_choices.entry(choice).or_default().push_str(&text);
        }
        if finish.is_some() {
            self.finish = finish;
        }
    }

    /// The pieces joined.
    pub fn text(&self) -> String {
        self.pieces.concat()
    }

    /// What the finish reason means; `None` without a finish reason.
    pub fn ended_by(&self) -> Option<FinishMeaning> {
        self.finish.as_deref().map(FinishMeaning::of)
    }

    /// Whether both have the same text and the same tool calls, in the same order. If the token limit cut the last call
    /// off, the other side may have any part of it, or may leave it out: not every dialect can express half a call.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let (calls, others) = match (self.whole_calls(), other.whole_calls()) {
            (Some(calls), Some(others)) => (calls, &others[..others.len().min(calls.len())]),
            (Some(calls), None) if other.calls.len() <= calls.len() + 1 => {
                (calls, &other.calls[..other.calls.len().min(calls.len())])
            }
            (None, Some(others)) if self.calls.len() <= others.len() + 1 => {
                (&self.calls[..self.calls.len().min(others.len())], others)
            }
            _ => (&self.calls[..], &other.calls[..]),
        };
        self.said == other.said
            && calls.len() == others.len()
            && calls.iter().zip(others).all(|(a, b)| a.says_the_same(b))
    }

    /// The calls before the one that the token limit cut off; `None` if it cut none off.
    fn whole_calls(&self) -> Option<&[ToolCall]> {
        let (last, before) = self.calls.split_last()?;
        (self.ended_by() == Some(FinishMeaning::Limit) && !last.is_whole()).then_some(before)
    }
}

/// The content of one event of a stream, or of one body.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ChunkContent {
    /// The text of the first choice, including the text of a refusal.
    pub text: String,
    /// Parts of tool calls.
    pub calls: Vec<ToolCallPart>,
    /// The text of the model's reasoning.
    pub reasoning: String,
    /// The text and the arguments of all choices but the first.
    pub other_choices: Vec<(u64, String)>,
}

impl ChunkContent {
    /// A text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A text, with the tool calls and the reasoning that `value` contains.
    pub(super) fn of(text: impl Into<String>, value: &Value) -> Self {
        let (calls, reasoning) = (tool_call_parts(value), reasoning(value));
        Self { text: text.into(), calls, reasoning, other_choices: Vec::new() }
    }

    /// Whether it contains text or a piece of a tool call's arguments.
    pub(crate) fn has_content(&self) -> bool {
        !self.text.is_empty() || self.calls.iter().any(|call| !call.arguments.is_empty())
    }
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StreamEvent {
    /// A part of the response.
    Chunk {
        /// Its content, which can be empty.
        content: ChunkContent,
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
    pub(super) fn nothing() -> Self {
        Self::chunk(ChunkContent::default(), None)
    }

    pub(super) fn chunk(content: ChunkContent, finish: Option<String>) -> Self {
        Self::Chunk { content, finish }
    }

    #[cfg(test)]
    pub(crate) fn piece(text: impl Into<String>) -> Self {
        Self::chunk(ChunkContent::text(text), None)
    }

    pub(crate) fn finish(reason: impl Into<String>) -> Self {
        Self::chunk(ChunkContent::default(), Some(reason.into()))
    }
}
