//! What is wrong with a file, where, and what to do about it.

use std::{fmt, ops::Range, sync::Arc};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, renderer::DecorStyle};

/// One thing that is wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as it is shown to people.
    pub file: String,
    /// Its text.
    pub source: Arc<str>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where; the first label is the place that counts.
    pub labels: Vec<Label>,
    /// What to do next.
    pub help: Option<String>,
}

/// A place in the file with a word about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// In bytes.
    pub range: Range<usize>,
    /// What is there; may be empty.
    pub text: String,
}

impl Diagnostic {
    /// A diagnostic at one place.
    pub fn new(file: &str, source: &Arc<str>, range: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            source: Arc::clone(source),
            message: message.into(),
            labels: vec![Label { range, text: String::new() }],
            help: None,
        }
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Puts a word beside the place that counts.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// Shows a second place.
    #[must_use]
    pub fn also(mut self, range: Range<usize>, text: impl Into<String>) -> Self {
        self.labels.push(Label { range, text: text.into() });
        self
    }

    /// Line and column of the place that counts, both from 1, columns in characters.
    pub fn position(&self) -> (usize, usize) {
        let at = self.labels.first().map_or(0, |label| label.range.start).min(self.source.len());
        let before = &self.source.as_bytes()[..at];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        (before.iter().filter(|&&b| b == b'\n').count() + 1, column)
    }

    /// The diagnostic for people, with the lines that it speaks of.
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

    /// Keeps a range inside the text, on character boundaries, and to its first line: a label that
    /// runs over a whole block says less than one that shows where the block begins.
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
        let trimmed = source[start..end].trim_end().len();
        start..start + trimmed.max(usize::from(end > start))
    }
}

/// Everything that is wrong with the files of one load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LoadErrors(pub Vec<Diagnostic>);

impl LoadErrors {
    /// All diagnostics for people, a blank line between them.
    pub fn render(&self, color: bool) -> String {
        self.0.iter().map(|one| one.render(color)).collect::<Vec<_>>().join("\n\n")
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The candidate that `word` was most likely meant to be, if one is near enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The beginning of a name is nearer to it than any misspelling of another.
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

/// What was most likely meant by a word that is none of those that can stand there, and which these are.
pub fn meant(word: &str, expected: &[&str]) -> String {
    let list = expected.iter().map(|e| format!("`{e}`")).collect::<Vec<_>>().join(", ");
    match nearest(word, expected.iter().copied()) {
        Some(near) => format!("did you mean `{near}`? Possible are: {list}"),
        None => format!("possible are: {list}"),
    }
}
