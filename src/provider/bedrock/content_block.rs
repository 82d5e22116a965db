//! The content of a response, before an operation formats it.

use crate::{
    observation::Canaries,
    provider::content::{MockToolCall, content_pieces, output_tokens, tool_calls},
    scenario::{ReplyEnd, SuccessReply},
};

/// The content of a response: its blocks, and why it ends.
pub(super) struct BedrockContent {
    pub blocks: Vec<ContentBlock>,
    pub end: ContentEnd,
    pub output_tokens: usize,
}

/// One block of content, in the pieces in which a stream sends it.
pub(super) struct ContentBlock {
    pub pieces: Vec<String>,
    /// The tool call that the pieces are arguments of.
    pub call: Option<MockToolCall>,
}

/// Why the content ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentEnd {
    Whole,
    ToolCalls,
    /// The token limit cut it off.
    Limited,
    /// The model's filter cut it off.
    Filtered,
    /// A guardrail replaced the model's text by its own.
    Blocked,
}

/// The number of input tokens that every response reports.
pub(super) const INPUT_TOKENS: usize = 9;

/// The latency that every response reports, in milliseconds.
pub(super) const LATENCY_MS: u32 = 42;

impl BedrockContent {
    pub(super) fn of(reply: &SuccessReply, canaries: &Canaries) -> Self {
        let (pieces, calls) = (content_pieces(reply, canaries), tool_calls(reply, canaries));
        let end = match reply.end() {
            ReplyEnd::Limit => ContentEnd::Limited,
            ReplyEnd::Filter => ContentEnd::Filtered,
            ReplyEnd::Whole if !calls.is_empty() => ContentEnd::ToolCalls,
            ReplyEnd::Whole => ContentEnd::Whole,
        };
        let output_tokens = output_tokens(&pieces, &calls);
        let text = (!pieces.is_empty()).then_some(ContentBlock { pieces, call: None });
        let calls =
            calls.into_iter().map(|call| ContentBlock { pieces: call.pieces.clone(), call: Some(call) });
        Self { blocks: text.into_iter().chain(calls).collect(), end, output_tokens }
    }

    pub(super) fn blocked(text: &str) -> Self {
        let block = ContentBlock { pieces: vec![text.to_owned()], call: None };
        Self { blocks: vec![block], end: ContentEnd::Blocked, output_tokens: 1 }
    }
}

impl ContentBlock {
    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }
}
