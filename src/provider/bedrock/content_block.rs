//! What a model says, before an operation gives it its form.

use serde_json::Value;

use crate::{
    observation::Canaries,
    provider::{content_pieces, dialect::stem, tool_argument_pieces},
    scenario::SuccessReply,
};

/// One block of content, in the pieces that a stream sends it in.
pub(super) struct ContentBlock {
    pub pieces: Vec<String>,
    pub kind: ContentKind,
}

/// What the block is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentKind {
    Text,
    /// A text that the limit of tokens cut off.
    Limited,
    /// The pieces are a tool's arguments.
    ToolCall,
    /// The text that a guardrail puts in the place of the model's.
    Blocked,
}

/// The tool that is called.
pub(super) const TOOL: &str = "get_weather";

/// What a request counts as, in tokens.
pub(super) const INPUT_TOKENS: usize = 9;

/// How long the model says that it took, in milliseconds.
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

    /// A tool's arguments as they stand in a body.
    pub(super) fn arguments(&self) -> Value {
        // The pieces are one JSON object together, which a test holds.
        serde_json::from_str(&self.text()).unwrap_or_default()
    }

    pub(super) fn output_tokens(&self) -> usize {
        self.pieces.len()
    }
}

/// The id of the call of a tool.
pub(super) fn call_id(prefix: &str, canaries: &Canaries) -> String {
    format!("{prefix}{}", stem(canaries))
}
