//! Says what is wrong with a file that is not valid YAML, and which line to write instead.

use std::ops::Range;

use serde_saphyr::Error;

use super::{
    describe::Description,
    node::{Node, range_of},
};

/// Describes an error of the YAML library and its place.
pub(super) fn describe(error: &Error, source: &str) -> (Range<usize>, Description) {
    let range = error.location().map_or(0..0, |location| {
        let range = range_of(location);
        // Only some locations have a byte offset.
        match location.span().byte_offset() {
            Some(_) => range,
            None => {
                let start = offset_of(source, location.line() as usize, location.column() as usize);
                start..start + source[start..].chars().next().map_or(0, char::len_utf8)
            }
        }
    });
    let (message, help) = match error {
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?");
            (format!("the key `{key}` is specified twice"), Some("keep one of them".to_owned()))
        }
        Error::MultipleDocuments { .. } => (
            "a file contains one scenario, and this one continues after `---`".to_owned(),
            Some("put each scenario into its own file".to_owned()),
        ),
        Error::Eof { .. } => (
            "the file is empty".to_owned(),
            Some(
                "a scenario needs at least `title`, `why` and `upstream`; docs/scenarios.md has examples"
                    .to_owned(),
            ),
        ),
        Error::Budget { .. } => (
            "the file is too large or too deeply nested for a scenario".to_owned(),
            Some("split it into several scenarios".to_owned()),
        ),
        Error::AliasError { error, .. } => return describe(error, source),
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => (
            "the aliases make this file too large".to_owned(),
            Some("write the values out, without `&` and `*`".to_owned()),
        ),
        Error::RecursiveReferencesRequireWeakTypes { .. } => (
            "an anchor contains itself".to_owned(),
            Some("write the value out, without `&` and `*`".to_owned()),
        ),
        other => {
            let text = other.to_string();
            // The YAML library ends its messages with the position, which the snippet shows anyway.
            let text = text.split(" at line ").next().unwrap_or(&text);
            let text = text.lines().next().unwrap_or(text).trim_end_matches(['.', ':']).to_owned();
            return of_lines(range, text, source);
        }
    };
    (range, Description { message, help, fix: None })
}

/// Looks at the lines up to the error for a usual mistake.
fn of_lines(range: Range<usize>, text: String, source: &str) -> (Range<usize>, Description) {
    let place = range.start.min(source.len());
    // The library notices many mistakes only in the line after.
    for line in [line_at(source, place), line_before(source, place)].into_iter().flatten() {
        let written = &source[line.clone()];
        if written.trim_start().starts_with('#') {
            continue;
        }
        if let Some(tab) = written.find('\t').filter(|tab| written[..*tab].trim().is_empty()) {
            let at = line.start + tab;
            let tabs = written[tab..].chars().take_while(|c| *c == '\t').count();
            let fix = Some((at..at + tabs, "  ".repeat(tabs)));
            let message = "YAML does not allow tabs for indentation".to_owned();
            return (
                at..at + tabs,
                Description { message, help: Some("indent with spaces".to_owned()), fix },
            );
        }
        if let Some((value, fixed)) = to_quote(written) {
            let value = line.start + value.start..line.start + value.end;
            // A line with a colon in it need not be the mistake.
            if !helps(source, &value, &fixed, place) {
                continue;
            }
            let key = written[..value.start - line.start].trim();
            let help = format!("write `{key} {fixed}`");
            let message = "this text needs quotes".to_owned();
            return (value.clone(), Description { message, help: Some(help), fix: Some((value, fixed)) });
        }
    }
    if let Some((at, close)) = unclosed(source) {
        let message = format!("this `{}` is not closed", &source[at..=at]);
        return (at..at + 1, Description { message, help: Some(format!("add `{close}`")), fix: None });
    }
    let help = if text.contains("indent") || text.contains("block") || text.contains("expected key") {
        Some("indent the keys of one object by the same number of spaces")
    } else if text.contains("recursion") {
        Some("the lists and objects are too deeply nested for a scenario")
    } else {
        None
    };
    (range, Description { message: text, help: help.map(str::to_owned), fix: None })
}

/// Whether a file with this change is valid YAML, or fails only after the place at which it fails now.
fn helps(source: &str, range: &Range<usize>, with: &str, place: usize) -> bool {
    let mut changed = source.to_owned();
    changed.replace_range(range.clone(), with);
    match serde_saphyr::from_str::<Node>(&changed) {
        Ok(_) => true,
        Err(error) => {
            let later = error.without_snippet().location().map_or(0, |location| {
                offset_of(&changed, location.line() as usize, location.column() as usize)
            });
            later > place + with.len() - range.len()
        }
    }
}

/// The place of the last bracket, brace or quote that is not closed, and what closes it.
fn unclosed(source: &str) -> Option<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut before = '\n';
    let mut letters = source.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '[' => open.push((at, ']')),
            '{' => open.push((at, '}')),
            ']' | '}' if open.last().is_some_and(|(_, close)| *close == letter) => drop(open.pop()),
            // A quote begins a text only where a value can begin.
            '"' | '\'' if matches!(before, ' ' | '\n' | '[' | '{' | ',' | ':') => {
                let mut is_escaped = false;
                let end = letters.find(|(_, own)| {
                    let is_end = *own == letter && !is_escaped;
                    is_escaped = *own == '\\' && !is_escaped && letter == '"';
                    is_end
                });
                if end.is_none() {
                    return Some((at, letter));
                }
            }
            '#' if before.is_whitespace() => drop(letters.find(|(_, own)| *own == '\n')),
            _ => {}
        }
        before = letter;
    }
    open.pop()
}

/// The value of a line `key: value` that YAML cannot read as it is meant, and the value in quotes.
fn to_quote(line: &str) -> Option<(Range<usize>, String)> {
    let (key, rest) = line.split_once(": ")?;
    // A comment is not part of the value.
    let rest = rest.split(" #").next().unwrap_or(rest);
    let value = rest.trim();
    let is_quoted = value.starts_with(['"', '\'']) && value.len() > 1 && value.ends_with(&value[..1]);
    let begins_a_collection = value.starts_with(['[', '{', '|', '>']);
    let has_colon = value.contains(": ") || value.ends_with(':');
    let begins_wrongly = value.starts_with(['@', '`', '%', '*', '&', '!', ',', ']', '}', '"', '\'']);
    let is_key = !key.trim_start_matches(['-', ' ']).is_empty() && !key.contains(['{', '[', '"']);
    if !is_key || is_quoted || begins_a_collection || !(has_colon || begins_wrongly) {
        return None;
    }
    let start = key.len() + 2 + rest.len() - rest.trim_start().len();
    let quoted = value.trim_matches('"').replace('\\', "\\\\").replace('"', "\\\"");
    Some((start..start + value.len(), format!("\"{quoted}\"")))
}

fn line_at(source: &str, place: usize) -> Option<Range<usize>> {
    let start = source.get(..place)?.rfind('\n').map_or(0, |i| i + 1);
    let end = source[start..].find('\n').map_or(source.len(), |i| start + i);
    Some(start..end)
}

fn line_before(source: &str, place: usize) -> Option<Range<usize>> {
    let own = line_at(source, place)?;
    line_at(source, own.start.checked_sub(1)?)
}

fn offset_of(source: &str, line: usize, column: usize) -> usize {
    let start: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &source[start.min(source.len())..];
    start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}
