//! Response headers, which are created once and sent many times.

use std::{fmt, ops::Deref};

use bytestring::ByteString;
use http::HeaderName;

/// A header's name, in lower case, and its value. Clones share both, because most headers are the same in every
/// response.
pub(crate) type HeaderField = (Name, ByteString);

/// A header's name, parsed once and sent any number of times.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Known);

#[derive(Clone, PartialEq, Eq)]
enum Known {
    Name(HeaderName),
    /// A text that is not a valid header name.
    Text(ByteString),
}

impl Name {
    /// The name as an HTTP header name; `None` if it is not a valid one.
    pub fn http(&self) -> Option<&HeaderName> {
        match &self.0 {
            Known::Name(name) => Some(name),
            Known::Text(_) => None,
        }
    }
}

impl PartialEq<str> for Name {
    /// Compares case-sensitively, unlike HTTP: these names are in lower case.
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        match HeaderName::from_bytes(text.as_bytes()) {
            // A name that HTTP would convert to lower case keeps its spelling.
            Ok(name) if name.as_str() == text => Self(Known::Name(name)),
            _ => Self(Known::Text(text.into())),
        }
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Known::Name(name) => name.as_str(),
            Known::Text(text) => text,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// Creates a header.
pub(super) fn header(name: impl Into<Name>, value: impl Into<ByteString>) -> HeaderField {
    (name.into(), value.into())
}

/// Copies headers into owned strings, as observations store them.
pub(crate) fn owned_headers(headers: &[HeaderField]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_text_whether_it_is_valid_or_not() {
        for (text, http) in
            [("retry-after", true), ("x-own", true), ("X-Own", false), ("a b", false), ("", false)]
        {
            let name = Name::from(text);
            assert_eq!((&*name, name.http().is_some()), (text, http));
            assert_eq!((name.to_string(), format!("{name:?}")), (text.to_owned(), format!("{text:?}")));
        }
    }
}
