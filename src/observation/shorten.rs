//! Shortens long texts to their beginning.

/// The first `longest` characters of a text; `None` if it has no more than these.
pub(crate) fn beginning(text: &str, longest: usize) -> Option<&str> {
    text.char_indices().nth(longest).map(|(end, _)| &text[..end])
}

/// The first `longest` characters of a text, with an ellipsis if it has more.
pub(crate) fn shorten(text: &str, longest: usize) -> String {
    beginning(text, longest).map_or_else(|| text.to_owned(), |start| format!("{start}…"))
}

/// A text from the wire, short enough for a finding.
pub(crate) fn excerpt(text: &str) -> String {
    shorten(text, 200)
}
