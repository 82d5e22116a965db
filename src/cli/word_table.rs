//! A table of words: their names, notes and meanings.

/// One line of a list.
pub(super) struct ListedWord {
    /// The word as scenarios or options use it.
    pub name: String,
    /// What is shown next to it; empty in some lists.
    pub note: String,
    /// What it means.
    pub meaning: String,
}

/// Aligns the names and the notes.
pub(super) fn table(words: &[ListedWord]) -> String {
    let width =
        |of: fn(&ListedWord) -> &String| words.iter().map(|word| of(word).chars().count()).max().unwrap_or(0);
    let (name, note) = (width(|word| &word.name), width(|word| &word.note));
    let gap = if note == 0 { "" } else { "  " };
    words
        .iter()
        .map(|word| format!("{:name$}  {:note$}{gap}{}\n", word.name, word.note, word.meaning))
        .collect()
}
