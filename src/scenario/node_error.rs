//! The error of a value that does not have the expected form, with its place in the file.

use std::{fmt, ops::Range};

use serde::de::{Error, Expected, Unexpected};

/// Why a value does not have the expected form, and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NodeError {
    pub(super) kind: NodeErrorKind,
    /// The byte range of the value or the key.
    pub(super) range: Option<Range<usize>>,
    /// The numbers of the entries that lead to it, from the innermost to the outermost.
    pub(super) path: Vec<usize>,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeErrorKind {
    UnknownKey {
        key: String,
        expected: &'static [&'static str],
    },
    UnknownName {
        name: String,
        expected: &'static [&'static str],
    },
    MissingKey(&'static str),
    /// Another type or value than expected.
    Unfit {
        found: String,
        expected: String,
    },
    /// An entry that must have exactly one key has these.
    ManyNames(Vec<String>),
    /// A name that needs values after it, and has none.
    NoValues(String),
    Other(String),
}

impl NodeError {
    pub(super) fn new(kind: NodeErrorKind) -> Self {
        Self { kind, range: None, path: Vec::new() }
    }

    /// The error with this place, unless it has one already.
    pub(super) fn at(mut self, range: &Range<usize>) -> Self {
        self.range.get_or_insert_with(|| range.clone());
        self
    }

    /// The error of an entry, seen from what contains the entry.
    pub(super) fn in_entry(mut self, n: usize) -> Self {
        self.path.push(n);
        self
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NodeErrorKind::UnknownKey { key, .. } => write!(f, "unknown key `{key}`"),
            NodeErrorKind::UnknownName { name, .. } => write!(f, "unknown name `{name}`"),
            NodeErrorKind::MissingKey(key) => write!(f, "the key `{key}` is missing"),
            NodeErrorKind::Unfit { found, expected } => write!(f, "found {found}, expected {expected}"),
            NodeErrorKind::ManyNames(names) => {
                let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
                write!(f, "{} are keys of one entry, which can have only one", names.join(" and "))
            }
            NodeErrorKind::NoValues(name) => write!(f, "`{name}` needs values"),
            NodeErrorKind::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for NodeError {}

impl Error for NodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(NodeErrorKind::Other(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(NodeErrorKind::Unfit { found: named(found), expected: expected.to_string() })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(NodeErrorKind::Unfit { found: format!("{length} entries"), expected: expected.to_string() })
    }

    fn unknown_variant(name: &str, expected: &'static [&'static str]) -> Self {
        Self::new(NodeErrorKind::UnknownName { name: name.to_owned(), expected })
    }

    fn unknown_field(key: &str, expected: &'static [&'static str]) -> Self {
        Self::new(NodeErrorKind::UnknownKey { key: key.to_owned(), expected })
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(NodeErrorKind::MissingKey(key))
    }
}

/// A value in words that the author of a file knows.
fn named(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list (`[a, b]`)".to_owned(),
        Unexpected::Map => "keys with values (`{key: value}`)".to_owned(),
        other => other.to_string(),
    }
}
