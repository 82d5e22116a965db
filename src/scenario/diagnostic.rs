//! Error messages about a file: what is wrong, where, and how to fix it.

use std::{fmt, ops::Range, sync::Arc};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};

use super::synonyms::meaning;

/// One error in one file.
///
/// # Examples
///
/// ```
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("broken.yaml"), "title: Broken\nwhy: A typo\nupstreem: []\n")?;
/// let error = upfault::Library::load(folder.path(), &["broken.yaml".into()]).unwrap_err();
/// let upfault::LoadError::Files(errors) = error else { panic!("{error}") };
/// assert_eq!(errors.0[0].position().0, 3, "the line of the unknown key");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// The file's name in messages.
    pub file: String,
    /// The file's text.
    pub source: Arc<str>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The places that the message refers to; the first label is the place of the error.
    pub labels: Vec<Label>,
    /// How to fix it.
    pub help: Option<String>,
    /// The change that fixes it, if no decision is needed: a byte range, and the text that replaces it.
    pub fix: Option<(Range<usize>, String)>,
}

/// A place in the file with a short explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Label {
    /// The byte range in the file.
    pub range: Range<usize>,
    /// What is at this place; may be empty.
    pub text: String,
}

impl Diagnostic {
    /// Creates a diagnostic with one label and without a help line.
    pub(crate) fn new(
        file: &str,
        source: &Arc<str>,
        range: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            source: Arc::clone(source),
            message: message.into(),
            labels: vec![Label { range, text: String::new() }],
            help: None,
            fix: None,
        }
    }

    /// Sets the help line.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a label for another place.
    #[must_use]
    pub(crate) fn also(mut self, range: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push(Label { range, text: text.into() });
        self
    }

    /// The 1-based line and column of the first label; columns count characters.
    pub fn position(&self) -> (usize, usize) {
        let at = self.labels.first().map_or(0, |label| label.range.start).min(self.source.len());
        let before = &self.source.as_bytes()[..at];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        (before.iter().filter(|&&b| b == b'\n').count() + 1, column)
    }

    /// Renders the diagnostic with the source lines of its labels.
    pub fn render(&self, color: bool) -> String {
        let mut snippet = Snippet::source(self.source.as_ref()).path(self.file.as_str());
        for (i, label) in self.labels.iter().enumerate() {
            let kind = if i == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let mut annotation = kind.span(self.clamp(&label.range));
            if !label.text.is_empty() {
                annotation = annotation.label(label.text.as_str());
            }
            snippet = snippet.annotation(annotation);
        }
        let mut group = Level::ERROR.primary_title(self.message.as_str()).element(snippet);
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }

    /// Limits a range to the text, to character boundaries and to its first line: a label that covers a
    /// whole block is less useful than one that shows where the block begins.
    fn clamp(&self, range: &Range<usize>) -> Range<usize> {
        let source = self.source.as_ref();
        let mut start = range.start.min(source.len());
        while !source.is_char_boundary(start) {
            start -= 1;
        }
        let line_end = source[start..].find('\n').map_or(source.len(), |i| start + i);
        let mut end = range.end.clamp(start, line_end);
        while !source.is_char_boundary(end) {
            end += 1;
        }
        if end == start && end < line_end {
            end += source[start..].chars().next().map_or(0, char::len_utf8);
        }
        let text = &source[start..end];
        // A white space by itself is shown.
        let first = text.chars().next().map_or(0, char::len_utf8);
        start..start + text.trim_end().len().max(first)
    }
}

/// All errors in the files of one load.
///
/// # Examples
///
/// ```
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("broken.yaml"), "title: Broken\nwhy: A typo\nupstreem: []\n")?;
/// let error = upfault::Library::load(folder.path(), &["broken.yaml".into()]).unwrap_err();
/// let upfault::LoadError::Files(errors) = error else { panic!("{error}") };
/// assert!(!errors.0.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LoadErrors(pub Vec<Diagnostic>);

impl LoadErrors {
    /// Renders all diagnostics, separated by blank lines.
    pub fn render(&self, color: bool) -> String {
        self.0.iter().map(|one| one.render(color)).collect::<Vec<_>>().join("\n\n")
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The candidate that `word` is most likely a misspelling of, if one is similar enough.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A prefix of a candidate is a better match than a misspelling of another.
    let distance = |candidate: &str| match candidate.starts_with(word) && word.len() > 3 {
        true => 0,
        false => strsim::damerau_levenshtein(word, candidate),
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 3)
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

/// The longest list of words that follows a guess: a longer one hides it.
const SHORT_LIST: usize = 8;

/// The help line for a word that is not one of `expected`: the one that is most likely meant, and the others.
pub(crate) fn meant(word: &str, expected: &[&str]) -> String {
    let list = expected.iter().map(|e| format!("`{e}`")).collect::<Vec<_>>().join(", ");
    match meaning(word, expected).or_else(|| nearest(word, expected.iter().copied())) {
        Some(near) if expected.len() > SHORT_LIST => format!("did you mean `{near}`?"),
        Some(near) => format!("did you mean `{near}`? Possible values: {list}"),
        None => format!("possible values: {list}"),
    }
}
