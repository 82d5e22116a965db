//! Parses a settings file, with errors that show the position.

use std::{ops::Range, path::Path, sync::Arc};

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use crate::scenario::{Diagnostic, meant};

/// A TOML file and its text.
#[derive(Debug, Clone)]
pub(super) struct TomlSource {
    /// The path for messages.
    pub shown: String,
    pub text: Arc<str>,
}

impl TomlSource {
    /// Reads a file.
    pub(super) fn read(path: &Path, shown: String) -> Result<Self, Box<Diagnostic>> {
        let failed = |why: String| {
            let none: Arc<str> = "".into();
            Box::new(Diagnostic::new(&shown, &none, 0..0, format!("cannot read this file: {why}")))
        };
        let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { shown, text: text.into() }),
            Err(_) => Err(failed("it is not valid UTF-8".to_owned())),
        }
    }

    /// Parses the text. Unknown keys, duplicate keys and wrong types are errors.
    pub(super) fn parse<T: DeserializeOwned>(&self) -> Result<T, Box<Diagnostic>> {
        toml::from_str(&self.text).map_err(|error| {
            let (message, help) = describe(error.message());
            let range = error.span().unwrap_or(0..0);
            let diagnostic = Diagnostic::new(&self.shown, &self.text, range, message);
            Box::new(match help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            })
        })
    }

    /// An error about the value of a key. `keys` is the path to the key; `item` is the index in a list.
    pub(super) fn wrong(&self, keys: &[&str], item: Option<usize>, message: impl Into<String>) -> Diagnostic {
        let range = place(&self.text, keys, item).unwrap_or(0..0);
        Diagnostic::new(&self.shown, &self.text, range, message)
    }
}

impl TomlSource {
    /// The byte range of a member of the `n`th table in a list of tables, or of the table itself if it has no such member.
    pub(super) fn member(&self, list: &str, n: usize, member: &str) -> Range<usize> {
        let find = || -> Option<Range<usize>> {
            let root = DeTable::parse(&self.text).ok()?;
            let (_, value) = root.get_ref().iter().find(|(name, _)| name.get_ref() == list)?;
            let DeValue::Array(items) = value.get_ref() else { return None };
            let item = items.get(n)?;
            let DeValue::Table(table) = item.get_ref() else { return None };
            let found = table.iter().find(|(name, _)| name.get_ref() == member);
            Some(found.map_or(item.span(), |(_, value)| value.span()))
        };
        find().unwrap_or(0..0)
    }

    /// An error at a byte range.
    pub(super) fn wrong_at(&self, range: Range<usize>, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(&self.shown, &self.text, range, message)
    }
}

fn place(text: &str, keys: &[&str], item: Option<usize>) -> Option<Range<usize>> {
    let root = DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let (last, above) = keys.split_last()?;
    for key in above {
        let (_, value) = table.iter().find(|(name, _)| name.get_ref() == key)?;
        table = match value.get_ref() {
            DeValue::Table(table) => table,
            _ => return None,
        };
    }
    let (_, value) = table.iter().find(|(name, _)| name.get_ref() == last)?;
    match (value.get_ref(), item) {
        (DeValue::Array(items), Some(n)) => items.get(n).map(|item| item.span()),
        _ => Some(value.span()),
    }
}

/// Translates a message of the TOML library into one for the author of the file, and a suggestion.
fn describe(text: &str) -> (String, Option<String>) {
    let text = text.trim().replace('\n', ", ");
    let quoted =
        |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    for (begin, what) in [("unknown field ", "key"), ("unknown variant ", "name")] {
        if let Some(rest) = text.strip_prefix(begin) {
            let words = quoted(rest);
            let Some((word, expected)) = words.split_first() else { break };
            let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
            return (format!("unknown {what} `{word}`"), Some(meant(word, &expected)));
        }
    }
    if let Some(rest) = text.strip_prefix("missing field ") {
        let help = quoted(rest).first().map(|key| format!("add `{key} = …`"));
        return (format!("missing key {rest}"), help);
    }
    if text.starts_with("duplicate key") || text.starts_with("duplicate field") {
        return ("this key is specified twice".to_owned(), Some("keep one of them".to_owned()));
    }
    if text == "invalid socket address syntax" {
        let help = "write one like `127.0.0.1:9400`".to_owned();
        return ("this is not an address with a port".to_owned(), Some(help));
    }
    let found = text.strip_prefix("invalid type: ").or_else(|| text.strip_prefix("invalid value: "));
    match found.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((found, expected)) => (format!("found {found}, expected {}", kind(expected)), None),
        None => (text, None),
    }
}

/// Describes a type to the author of a file.
fn kind(expected: &str) -> &str {
    match expected {
        "a string" | "path string" => "text (`\"…\"`)",
        "a sequence" => "a list (`[\"…\"]`)",
        "a nonzero u16" => "a whole number from 1 to 65535",
        "u16" => "a whole number from 0 to 65535",
        "u64" | "usize" => "a whole number, 0 or more",
        "socket address" => "an address with a port (`\"127.0.0.1:9400\"`)",
        "a boolean" => "`true` or `false`",
        other => other,
    }
}
