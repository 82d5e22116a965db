//! The content that the replies of all dialects share.

use serde_json::{Value, json};

use crate::{observation::Canaries, scenario::SuccessReply};

/// A fixed Unix time in seconds, so that the same case gives the same bytes.
pub(super) const fn created() -> i64 {
    1_700_000_000
}

/// The part of the request id after its prefix: a stem for the ids in the same response.
pub(super) fn stem(canaries: &Canaries) -> &str {
    canaries.stem()
}

/// The pieces of text of a reply: together they are its text, and a stream sends exactly one content event for each.
/// Empty for a reply that consists of tool calls.
pub(crate) fn content_pieces(reply: &SuccessReply, canaries: &Canaries) -> Vec<String> {
    let n = match reply {
        SuccessReply::Ok
        | SuccessReply::MaxTokens
        | SuccessReply::ContentFilter
        | SuccessReply::TextAndToolCall => 5,
        SuccessReply::Chunks(n) => (*n).max(1),
        SuccessReply::ToolCall
        | SuccessReply::TwoToolCalls
        | SuccessReply::CutToolCall
        | SuccessReply::LargeToolCall(_) => return Vec::new(),
        SuccessReply::LargeText(bytes) => {
            return vec![format!("[1] {} {}", canaries.content, filler(*bytes))];
        }
        // Characters of two, three, three and four bytes in UTF-8.
        SuccessReply::NonAscii => {
            let first = format!("[1] {} ", canaries.content);
            return [&first, "[2] \u{e9} ", "[3] \u{20ac} ", "[4] \u{6f22} ", "[5] \u{1f600}"]
                .map(str::to_owned)
                .to_vec();
        }
    };
    (1..=n)
        .map(|i| match i {
            1 => format!("[1] {} ", canaries.content),
            i if i == n => format!("[{i}]"),
            i => format!("[{i}] "),
        })
        .collect()
}

/// A text of this many bytes in which every part differs from its neighbours.
fn filler(bytes: u32) -> String {
    let mut text: String = (0..=bytes / 8).map(|n| format!("{n:07} ")).collect();
    text.truncate(bytes as usize);
    text
}

/// A tool call of a reply.
pub(crate) struct MockToolCall {
    /// The tool.
    pub name: &'static str,
    /// The part of its id after the prefix of the dialect.
    pub id: String,
    /// The pieces of its arguments: together they are one JSON object, and a stream sends exactly one event for each.
    pub pieces: Vec<String>,
    /// Whether the token limit cut the arguments off.
    pub is_cut: bool,
}

impl MockToolCall {
    /// The arguments as text.
    pub(crate) fn text(&self) -> String {
        self.pieces.concat()
    }

    /// The arguments as an object; of arguments that were cut off, the complete members.
    pub(crate) fn arguments(&self) -> Value {
        let text = self.text();
        let complete = || text.rsplit_once(',').map(|(members, _)| format!("{members}}}"));
        serde_json::from_str(&text)
            .ok()
            .or_else(|| serde_json::from_str(&complete()?).ok())
            .unwrap_or_else(|| json!({}))
    }
}

/// The tool calls of a reply, in order.
pub(crate) fn tool_calls(reply: &SuccessReply, canaries: &Canaries) -> Vec<MockToolCall> {
    let stem = stem(canaries);
    let weather = || MockToolCall {
        name: "get_weather",
        id: stem.to_owned(),
        pieces: tool_argument_pieces(canaries),
        is_cut: false,
    };
    match reply {
        SuccessReply::ToolCall | SuccessReply::TextAndToolCall => vec![weather()],
        SuccessReply::TwoToolCalls => {
            let pieces = vec!["{\"zone\":".into(), "\"UTC\"}".into()];
            vec![weather(), MockToolCall { name: "get_time", id: format!("{stem}_2"), pieces, is_cut: false }]
        }
        SuccessReply::CutToolCall => {
            let mut call = weather();
            call.pieces.pop();
            vec![MockToolCall { is_cut: true, ..call }]
        }
        SuccessReply::LargeToolCall(bytes) => {
            let note = format!("{} {}", canaries.content, filler(*bytes));
            let pieces = vec![json!({"city": "Paris", "note": note}).to_string()];
            vec![MockToolCall { pieces, ..weather() }]
        }
        SuccessReply::Ok
        | SuccessReply::Chunks(_)
        | SuccessReply::NonAscii
        | SuccessReply::MaxTokens
        | SuccessReply::ContentFilter
        | SuccessReply::LargeText(_) => Vec::new(),
    }
}

/// The number of pieces of a reply, which counts as its number of output tokens.
pub(super) fn output_tokens(pieces: &[String], calls: &[MockToolCall]) -> usize {
    pieces.len() + calls.iter().map(|call| call.pieces.len()).sum::<usize>()
}

/// The pieces of a complete tool call's arguments.
pub(crate) fn tool_argument_pieces(canaries: &Canaries) -> Vec<String> {
    let note = &canaries.content;
    vec!["{\"city\":".into(), "\"Paris\",".into(), "\"note\":\"".into(), note.clone(), "\"}".into()]
}
