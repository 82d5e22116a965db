//! Which kind of evidence a text is.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{exception_words::pattern, litellm_log::is_of_litellm};

/// A status line, also with the mark of `curl -v`.
static STATUS_LINE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?m)^(?:< )?HTTP/[0-9.]+ [1-9]\d\d\b"));

/// What a traceback begins with, or the last line of one.
static TRACEBACK: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?m)^Traceback \(most recent call last\)|^(?:[a-z_][\w.]*\.)?[A-Z]\w*(?:Error|Exception)(?: \[\w+\])?: ",
    )
});

/// The option of `upfault new` for a text of this kind; `None` if the text is none of them.
pub(crate) fn option_for(text: &str) -> Option<(&'static str, &'static str)> {
    let har = || serde_json::from_str::<Value>(text).is_ok_and(|file| file["log"]["entries"].is_array());
    if har() {
        Some(("--from-har", "a HAR file"))
    } else if STATUS_LINE.is_match(text) {
        Some(("--from-curl", "the output of `curl -i`"))
    } else if is_of_litellm(text) {
        Some(("--from-litellm-log", "a log of LiteLLM"))
    } else if TRACEBACK.is_match(text) {
        Some(("--from-openai-exception", "a traceback"))
    } else {
        None
    }
}

/// Whether a line is the first one of a text that people paste, and not the name of a file.
pub(crate) fn looks_like_evidence(line: &str) -> bool {
    const STARTS: [&str; 14] = [
        "HTTP/",
        "{",
        "[",
        "<",
        "* ",
        "> ",
        "$ ",
        "% ",
        "curl ",
        "curl: ",
        "Traceback",
        "data:",
        "event:",
        "During ",
    ];
    let line = line.trim_start();
    STARTS.iter().any(|start| line.starts_with(start)) || TRACEBACK.is_match(line) || is_of_litellm(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_for_a_text_is_found() {
        for (text, option) in [
            (r#"{"log": {"entries": []}}"#, Some("--from-har")),
            ("$ curl -i x\nHTTP/2 503\n\n{}", Some("--from-curl")),
            (
                "Traceback (most recent call last):\n  File\nopenai.RateLimitError: m",
                Some("--from-openai-exception"),
            ),
            ("ERROR: litellm.RateLimitError: AzureException - m", Some("--from-litellm-log")),
            ("all is well", None),
        ] {
            assert_eq!(option_for(text).map(|(option, _)| option), option, "{text}");
        }
        for (line, expected) in [
            ("HTTP/2 503", true),
            ("openai.RateLimitError: m", true),
            ("$ curl -i", true),
            ("a.txt", false),
            ("logs/yesterday 3.log", false),
        ] {
            assert_eq!(looks_like_evidence(line), expected, "{line}");
        }
    }
}
