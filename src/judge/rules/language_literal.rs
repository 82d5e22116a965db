//! Literals of programming languages in the text of an error.

use std::sync::LazyLock;

use regex::Regex;

use crate::observation::word;

/// Names of missing values, in place of a JSON null.
pub(super) const MISSING: &[&str] =
    &["None", "null", "undefined", "nil", "<nil>", "NaN", "NoneType", "[object Object]"];

/// Literals that no other language contains as words.
const WORDS: &[&str] = &["b'", "b\"", "<nil>", "map[", "[object Object]", "NoneType"];

/// Literals with parts that vary.
const PATTERNS: &[&str] = &[
    // Python: a tuple of a status and a body, a dictionary, an object. An exception with its arguments, such as
    // `ConnectionResetError(104, 'Connection reset by peer')`, is a description and replaces no JSON value.
    r#"\b{start-half}\([1-5][0-9]{2}, ?b?['"{]"#,
    r"\{'[A-Za-z_]+': ",
    r"<(Response \[|class '|[A-Za-z_.]+ object at 0x|bound method )[^>]*>",
    // Go: a value without or with the wrong format.
    r"%!([a-zA-Z]\(|\(EXTRA )",
    // Rust: an option or a result.
    r#"(Some|Ok|Err)\(""#,
    // A missing value after the last colon, or before the first one or a dash.
    r": (None|undefined|NaN)$",
    r"(^|: )(None|undefined|NaN)( -|:) ",
];

/// The first literal in a text that does not also occur in what the upstream sent.
pub(super) fn literal_in<'t>(text: &'t str, sent: &str) -> Option<&'t str> {
    static COMPILED: LazyLock<Vec<Regex>> =
        LazyLock::new(|| PATTERNS.iter().filter_map(|pattern| Regex::new(pattern).ok()).collect());
    if MISSING.contains(&text.trim()) && !sent.contains(text.trim()) {
        return Some(text.trim());
    }
    // `the web's` and `bitmap[0]` contain none of these literals as a word.
    let word = WORDS.iter().find(|word| word::occurs(text, word) && !word::occurs(sent, word));
    let word = word.and_then(|word| text.find(word).map(|at| &text[at..at + word.len()]));
    word.or_else(|| {
        let mut found = COMPILED.iter().filter_map(|pattern| pattern.find(text));
        found.find(|found| !sent.contains(found.as_str())).map(|found| found.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_is_valid_and_prose_contains_no_literal() {
        for pattern in PATTERNS {
            assert!(Regex::new(pattern).is_ok(), "{pattern}");
        }
        for text in [
            "the job's",
            "bitmap[0] is full",
            "Some(thing) is wrong",
            "it failed (429, too many requests)",
            "the connection broke: ConnectionResetError(104, 'Connection reset by peer')",
            "the tool get_weather(\"Paris\") is unknown",
            "use {\"type\": \"text\"}",
            "None of the models exist",
            "expected a list, but got null: messages",
            "invalid body: null - expected an object",
            "100%! Really (no)",
            "",
        ] {
            assert_eq!(literal_in(text, ""), None, "{text}");
        }
    }

    #[test]
    fn literals_are_found_unless_the_upstream_sent_them() {
        for (text, literal) in [
            ("b'no'", "b'"),
            ("it said: map[message:no]", "map["),
            ("(429, '{\"error\": 1}')", "(429, '"),
            ("it failed: (429, '{\"error\": 1}')", "(429, '"),
            ("APIError(429, b'no')", "b'"),
            ("Error code: 400 - {'error': {'message': 'no'}}", "{'error': "),
            ("got <Response [429]>", "<Response [429]>"),
            ("from <httpx.Response object at 0x7f>", "<httpx.Response object at 0x7f>"),
            ("NoneType: None", "NoneType"),
            ("failed: undefined", ": undefined"),
            ("[object Object]", "[object Object]"),
            ("status %!s(int=429)", "%!s("),
            ("cause Some(\"no\")", "Some(\""),
            ("None - invalid api token", "None - "),
            ("AuthenticationError: undefined: invalid key", ": undefined: "),
            ("undefined", "undefined"),
        ] {
            assert_eq!(literal_in(text, ""), Some(literal), "{text}");
            assert_eq!(literal_in(text, text), None, "{text}");
        }
    }
}
