//! What varies by itself in messages: ids, times, durations, addresses.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

/// Pattern and what is put in its place, applied from the top.
///
/// Upstream details that a scenario planted are placeholders before this list is reached, so an id
/// that is found here is the proxy's own (or a provider's that was made up on the way).
const VOLATILE: &[(&str, &str)] = &[
    // Other cases share the proxy, and a proxy that lists all it knows names them. Which they are
    // depends on what else runs, so they count as one; items of a list that is about others go.
    (r"\bsk-canary-[a-z0-9]{12}-[\w-]+", "<other key>"),
    (r"\bupfault-[a-z0-9]{12}-[\w-]+", "<other model>"),
    (r#"\{["']<other model>["']: \[(?:["']<other model>["'](?:, )?)*\]\}(?:, )?"#, ""),
    (r#"(["']\]\}), \]"#, "$1]"),
    // A key that the proxy masked: which of its characters remain depends on the key.
    (r"\bsk-[\w-]*(?:\*{2,}|\.{3}|…)[\w-]*", "<masked key>"),
    // UUIDs, also behind the prefixes that gateways put before them.
    (
        r"(?i)\b(?:(?:req|chatcmpl|cmpl|msg|resp|gen|call|toolu)[-_])?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
        "<id>",
    ),
    // Ids in the providers' own form; a digit must be in them, so that `call_type` stays.
    (r"\b(?:req|chatcmpl|cmpl|msg|resp|gen|call|toolu)[-_][A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*", "<id>"),
    // Hashes and long hexadecimal ids.
    (r"(?i)\b[0-9a-f]{24,}\b", "<hex>"),
    // `<openai.Client object at 0x7f3c5c0b4d90>`.
    (r"\b0x[0-9a-fA-F]{6,}\b", "<pointer>"),
    // RFC 3339, with a blank or a T, with or without zone.
    (r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?", "<time>"),
    // RFC 9110 section 5.6.7.
    (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT", "<time>"),
    // A date that stands alone; the one inside `gpt-4o-2024-08-06` is part of a name.
    (r"(^|[^\w<-])\d{4}-\d{2}-\d{2}\b", "$1<date>"),
    // `0.123s`, `took 2.01 seconds`. Whole numbers are settings more often than measurements.
    (r"\b\d+\.\d+ ?(?:ms|milliseconds?|s|secs?|seconds?|min|minutes?)\b", "<duration>"),
    // Seconds or milliseconds since 1970, between 2020 and 2033.
    (r"\b1[6-9]\d{8}(?:\d{3})?(?:\.\d+)?\b", "<epoch>"),
    // Ports are never the same twice.
    (r"(?:\b127\.0\.0\.1|\blocalhost|\[::1\]):\d{1,5}\b", "<address>"),
    // Where a proxy is installed.
    (r"(?:/[\w.+@-]+)+/(python3\.\d+|site-packages|node_modules)/", "<folder>/$1/"),
];

/// Something that varies by itself in the words of one proxy, as its definition says.
#[derive(Debug, Clone)]
pub struct Volatile {
    pattern: Regex,
    with: String,
}

impl Volatile {
    /// Whatever `pattern` finds becomes `with`, in which `$1` stands for a group.
    pub fn new(pattern: Regex, with: String) -> Self {
        Self { pattern, with }
    }

    pub(super) fn replace(&self, text: &str) -> String {
        self.pattern.replace_all(text, self.with.as_str()).into_owned()
    }
}

static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    // The test below compiles every one of them, so none is lost here.
    VOLATILE
        .iter()
        .filter_map(|(pattern, with)| Regex::new(pattern).ok().map(|regex| (regex, *with)))
        .collect()
});

/// `text` with all that varies by itself replaced by placeholders.
pub fn without_volatile(text: &str) -> String {
    PATTERNS
        .iter()
        .fold(Cow::Borrowed(text), |text, (regex, with)| match regex.replace_all(&text, *with) {
            Cow::Borrowed(_) => text,
            Cow::Owned(changed) => Cow::Owned(changed),
        })
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        assert_eq!(PATTERNS.len(), VOLATILE.len());
    }

    #[test]
    fn what_varies_by_itself_becomes_a_placeholder() {
        for (text, expected) in [
            ("id 7f9c24e8-3b12-4fef-91a8-0c2f1f8b7a11.", "id <id>."),
            ("chatcmpl-7f9c24e8-3b12-4fef-91a8-0c2f1f8b7a11", "<id>"),
            ("chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG", "<id>"),
            ("req_011CSHoEeqs5C35K2UUqR7Fy", "<id>"),
            ("88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b", "<hex>"),
            ("<object at 0x7f3c5c0b4d90>", "<object at <pointer>>"),
            ("at 2026-11-22T10:00:00.123Z", "at <time>"),
            ("at 2026-11-22 10:00:00,123", "at <time>"),
            ("Sun, 22 Nov 2026 10:00:00 GMT", "<time>"),
            ("since 2026-11-22, it", "since <date>, it"),
            ("took 2.01 seconds", "took <duration>"),
            ("0.123s", "<duration>"),
            ("created 1763805600", "created <epoch>"),
            ("http://127.0.0.1:43121/v1", "http://<address>/v1"),
            ("sk-c...mary", "<masked key>"),
            (
                "Fallbacks=[{'upfault-aaaaaaaaaaaa-p': ['upfault-aaaaaaaaaaaa-b']}, {'<model p>': ['<model b>']}, \
                 {'upfault-bbbbbbbbbbbb-p': ['upfault-bbbbbbbbbbbb-b', 'upfault-bbbbbbbbbbbb-c']}]",
                "Fallbacks=[{'<model p>': ['<model b>']}]",
            ),
            ("Incorrect key sk-ab***yz", "Incorrect key <masked key>"),
            (
                "File \"/home/me/.cache/x/lib/python3.11/site-packages/a.py\"",
                "File \"<folder>/site-packages/a.py\"",
            ),
        ] {
            assert_eq!(without_volatile(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_caller_can_rely_on_stays() {
        for text in [
            "Rate limit reached for gpt-4o-2024-08-06 in organization org-x: Limit 3, Used 3. Try again in 20s.",
            "claude-3-5-sonnet-20241022",
            "maximum context length is 4097 tokens, you requested 9000",
            "<canary message primary#1>",
            "call_type is unknown",
            "HTTP/1.1 500",
        ] {
            assert_eq!(without_volatile(text), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_second_pass_finds_nothing_more(text in "[a-f0-9 .:<>\\-_smxreqT]{0,60}") {
            let once = without_volatile(&text);
            let twice = without_volatile(&once);
            // A replacement may join two neighbours into something that looks volatile, once.
            proptest::prop_assert_eq!(without_volatile(&twice), twice);
        }
    }
}
