//! Parses a file, and reports errors with their position.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_saphyr::Error;

use super::diagnostic::{Diagnostic, meant};

/// Parses strict YAML: unknown keys, duplicate keys and wrong types are errors with a position.
///
/// Serde stops at the first error, so there is at most one diagnostic per file.
pub(crate) fn parse<T: DeserializeOwned>(file: &str, source: &Arc<str>) -> Result<T, Box<Diagnostic>> {
    serde_saphyr::from_str(source).map_err(|error| Box::new(diagnose(file, source, error.without_snippet())))
}

fn diagnose(file: &str, source: &Arc<str>, error: &Error) -> Diagnostic {
    let range = error.location().map_or(0..0, |location| {
        let span = location.span();
        let start = span.byte_offset().map_or_else(
            || offset_of(source, location.line() as usize, location.column() as usize),
            |offset| offset as usize,
        );
        start..start + span.byte_len().unwrap_or(1) as usize
    });
    let (message, help) = describe(error);
    let diagnostic = Diagnostic::new(file, source, range, message);
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn describe(error: &Error) -> (String, Option<String>) {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            (format!("unknown key `{field}`"), Some(meant(field, expected)))
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("unknown name `{variant}`"), Some(meant(variant, expected)))
        }
        Error::SerdeMissingField { field, .. } => {
            (format!("the key `{field}` is missing"), Some(format!("add `{field}: …`")))
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("?");
            (format!("the key `{key}` is specified twice"), Some("keep one of them".to_owned()))
        }
        Error::SerdeInvalidType { unexpected, expected, .. }
        | Error::SerdeInvalidValue { unexpected, expected, .. } => {
            (format!("found {unexpected}, expected {expected}"), None)
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
        Error::InvalidScalar { ty, .. } => (format!("expected {}", kind(ty)), None),
        Error::Unexpected { expected, .. } => (format!("expected {}", kind(expected)), None),
        Error::AliasError { error, .. } => describe(error),
        Error::Message { msg, .. } => (msg.clone(), None),
        other => {
            let text = other.to_string();
            // The YAML library ends its messages with the position, which the snippet shows anyway.
            let text = text.split(" at line ").next().unwrap_or(&text);
            (text.trim_end_matches('.').to_owned(), None)
        }
    }
}

/// Translates the YAML library's name of a type into words for the author of a file.
fn kind(ty: &str) -> &str {
    match ty {
        "string scalar" => "text",
        "sequence start" | "sequence" => "a list (`[a, b]`)",
        "mapping start" | "mapping" => "keys with values (`{key: value}`)",
        "bool" | "boolean" => "`true` or `false`",
        _ if ty.starts_with('u') && ty[1..].parse::<u8>().is_ok() => "a whole number, 0 or more",
        _ if ty.starts_with('i') && ty[1..].parse::<u8>().is_ok() => "a whole number",
        other => other,
    }
}

fn offset_of(source: &str, line: usize, column: usize) -> usize {
    let start: usize = source.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = &source[start.min(source.len())..];
    start + rest.chars().take(column.saturating_sub(1)).map(char::len_utf8).sum::<usize>()
}
