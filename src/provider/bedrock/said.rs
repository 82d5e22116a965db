//! What a model says, before an operation gives it its form.

use serde_json::Value;

use crate::{
    observation::Canaries,
    provider::{content_pieces, dialect::stem, tool_argument_pieces},
    scenario::Reply,
};

/// One block of content, in the pieces that a stream sends it in.
pub(super) struct Said {
    pub pieces: Vec<String>,
    pub kind: Kind,
}

/// What the block is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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

impl Said {
    pub(super) fn of(reply: &Reply, canaries: &Canaries) -> Self {
        match reply {
            Reply::ToolCall => Self { pieces: tool_argument_pieces(canaries), kind: Kind::ToolCall },
            Reply::MaxTokens => Self { pieces: content_pieces(reply, canaries), kind: Kind::Limited },
            Reply::Ok | Reply::Chunks(_) | Reply::NonAscii => {
                Self { pieces: content_pieces(reply, canaries), kind: Kind::Text }
            }
        }
    }

    pub(super) fn blocked(text: &str) -> Self {
        Self { pieces: vec![text.to_owned()], kind: Kind::Blocked }
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
