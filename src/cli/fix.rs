//! Corrects mistakes in scenario files for which no decision is needed (`upfault check --fix`).

use super::{context::CliContext, failure::Failure};
use crate::{
    report::plural,
    scenario::{Diagnostic, LoadErrors},
    snapshot::replace_atomically,
};

/// Corrects the files of these errors. Returns one line for each file that was changed.
///
/// # Errors
/// If a file cannot be written. Files that were written before stay corrected.
pub(super) fn fix(context: &CliContext, errors: &LoadErrors) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for of_file in errors.0.chunk_by(|a, b| a.file == b.file) {
        let Some(first) = of_file.first() else { continue };
        let path = context.root.join(&first.file);
        // Only what was read may be replaced: the file may have changed since.
        if std::fs::read_to_string(&path).ok().as_deref() != Some(&*first.source) {
            continue;
        }
        let (text, fixed) = fixed(of_file);
        if fixed > 0 {
            replace_atomically(&path, &text).map_err(Failure::io(format!("cannot write {}", first.file)))?;
            lines.push(format!("{}: corrected in {}", first.file, plural(fixed, "place")));
        }
    }
    Ok(lines)
}

/// The text of a file with the changes of its errors, and their number. Of two changes that overlap, only the later one is
/// made.
fn fixed(errors: &[Diagnostic]) -> (String, usize) {
    let mut text = errors.first().map(|error| error.source.to_string()).unwrap_or_default();
    let mut changes: Vec<_> = errors.iter().filter_map(|error| error.fix.clone()).collect();
    changes.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let (mut fixed, mut untouched) = (0, text.len());
    for (range, by) in changes {
        if range.end <= untouched && text.get(range.clone()).is_some() {
            untouched = range.start;
            text.replace_range(range, &by);
            fixed += 1;
        }
    }
    (text, fixed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load_text;

    #[test]
    fn all_changes_of_a_file_are_made_and_comments_stay() {
        let text = "titel: t # the title\nwhy: w\nmatrix: {stream: yes, provider: Gemini}\n# the turn\nupstream: [{error: overloaded_error}]\n";
        let errors = load_text("x", "f", text).unwrap_err();
        let (text, count) = fixed(&errors.0);
        insta::assert_snapshot!(text, @r"
        title: t # the title
        why: w
        matrix: {stream: [yes], provider: [Gemini]}
        # the turn
        upstream: [{error: overloaded}]
        ");
        assert_eq!(count, 4);
        // What is still wrong is found in the next round.
        let (text, count) = fixed(&load_text("x", "f", &text).unwrap_err().0);
        assert_eq!(count, 1, "{text}");
        assert!(load_text("x", "f", &text).is_ok(), "{text}");
    }
}
