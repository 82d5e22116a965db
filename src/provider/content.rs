//! The content that the replies of all dialects share.

use crate::{observation::Canaries, scenario::SuccessReply};

/// A fixed Unix time in seconds, so that the same case gives the same bytes.
pub(super) const fn created() -> i64 {
    1_700_000_000
}

/// The part of the request id after its prefix: a stem for the ids in the same response.
pub(super) fn stem(canaries: &Canaries) -> &str {
    canaries.stem()
}

/// The pieces of content of a reply: together they are its text, and a stream sends exactly one content event for
/// each. Empty for a tool call.
pub(crate) fn content_pieces(reply: &SuccessReply, canaries: &Canaries) -> Vec<String> {
    let n = match reply {
        SuccessReply::Ok | SuccessReply::MaxTokens => 5,
        SuccessReply::Chunks(n) => (*n).max(1),
        SuccessReply::ToolCall => return Vec::new(),
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

/// The pieces of a tool call's arguments: together they are one JSON object, and a stream sends exactly one event
/// for each.
pub(crate) fn tool_argument_pieces(canaries: &Canaries) -> Vec<String> {
    let note = &canaries.content;
    vec!["{\"city\":".into(), "\"Paris\",".into(), "\"note\":\"".into(), note.clone(), "\"}".into()]
}
