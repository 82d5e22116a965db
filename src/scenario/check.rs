//! Collects the errors of one file while it is checked.

use std::{ops::Range, sync::Arc};

use indexmap::IndexMap;

use super::diagnostic::{Diagnostic, nearest};

/// Collects the errors of one file.
pub(super) struct FileChecker<'a> {
    file: &'a str,
    source: &'a Arc<str>,
    pub(super) errors: Vec<Diagnostic>,
}

impl<'a> FileChecker<'a> {
    pub(super) fn new(file: &'a str, source: &'a Arc<str>) -> Self {
        Self { file, source, errors: Vec::new() }
    }

    pub(super) fn into_errors(self) -> Vec<Diagnostic> {
        self.errors
    }

    /// Adds an error; the caller can add labels and a help line to the returned diagnostic.
    pub(super) fn error(&mut self, range: &Range<usize>, message: impl Into<String>) -> &mut Diagnostic {
        self.errors.push(Diagnostic::new(self.file, self.source, range.clone(), message));
        self.errors.last_mut().unwrap_or_else(|| unreachable!("it was pushed in the line above"))
    }

    /// The file and the 1-based line of a byte range, for messages: `scenarios/limits/rate-limit.yaml:7`.
    pub(super) fn place(&self, range: &Range<usize>) -> String {
        let (line, _) = Diagnostic::new(self.file, self.source, range.clone(), "").position();
        format!("{}:{line}", self.file)
    }

    /// The byte range of `word` in the value that begins at `range`, or `range` itself if the word is not found.
    /// The range of a whole block covers only its first character.
    pub(super) fn word(&self, range: &Range<usize>, word: &str) -> Range<usize> {
        let found = self.source.get(range.start..).and_then(|rest| rest.find(word));
        found.map_or(range.clone(), |i| range.start + i..range.start + i + word.len())
    }
}

/// Checks that a deployment exists.
pub(super) fn known_deployment<T>(
    check: &mut FileChecker<'_>,
    range: &Range<usize>,
    name: &str,
    deployments: &IndexMap<String, T>,
) {
    if deployments.contains_key(name) {
        return;
    }
    let names = || deployments.keys().map(String::as_str);
    let error = check.error(&check.word(range, name), format!("there is no deployment `{name}`"));
    error.help = Some(match nearest(name, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the deployments are: {}", names().collect::<Vec<_>>().join(", ")),
    });
}
