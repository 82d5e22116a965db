//! The content of a response, before an operation formats it.

use serde_json::Value;

use crate::{
    observation::Canaries,
    provider::content::{content_pieces, stem, tool_argument_pieces},
    scenario::SuccessReply,
};

/// One block of content, in the pieces in which a stream sends it.
pub(super) struct ContentBlock {
    pub pieces: Vec<String>,
    pub kind: ContentKind,
}

/// The kind of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentKind {
    Text,
    /// A text that the token limit cut off.
    Limited,
    /// The pieces are a tool's arguments.
    ToolCall,
    /// The text with which a guardrail replaces the model's.
    Blocked,
}

/// The name of the tool that the model calls.
pub(super) const TOOL: &str = "get_weather";

/// The number of input tokens that every response reports.
pub(super) const INPUT_TOKENS: usize = 9;

/// The latency that every response reports, in milliseconds.
pub(super) const LATENCY_MS: u32 = 42;

impl ContentBlock {
    pub(super) fn of(reply: &SuccessReply, canaries: &Canaries) -> Self {
        match reply {
            SuccessReply::ToolCall => {
                Self { pieces: tool_argument_pieces(canaries), kind: ContentKind::ToolCall }
            }
            SuccessReply::MaxTokens => {
                Self { pieces: content_pieces(reply, canaries), kind: ContentKind::Limited }
            }
            SuccessReply::Ok | SuccessReply::Chunks(_) | SuccessReply::NonAscii => {
                Self { pieces: content_pieces(reply, canaries), kind: ContentKind::Text }
            }
        }
    }

    pub(super) fn blocked(text: &str) -> Self {
        Self { pieces: vec![text.to_owned()], kind: ContentKind::Blocked }
    }

    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }

    /// A tool call's arguments as the JSON value of a body.
    pub(super) fn arguments(&self) -> Value {
        // Together the pieces are one JSON object; a test checks it.
        serde_json::from_str(&self.text()).unwrap_or_default()
    }

    pub(super) fn output_tokens(&self) -> usize {
        self.pieces.len()
    }
}

/// The id of a tool call.
pub(super) fn call_id(prefix: &str, canaries: &Canaries) -> String {
    format!("{prefix}{}", stem(canaries))
}
