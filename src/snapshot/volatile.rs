//! What varies by itself in messages: ids, times, durations, addresses.

use std::{borrow::Cow, sync::LazyLock};

use regex::Regex;

use crate::observation::without_random;

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
    // Ids in the providers' own form: with a digit in them, or in one piece that is longer than a word, so
    // that `call_type` stays. Behind two of the prefixes there is never a word.
    (
        r"\b(?:req|chatcmpl|cmpl|msg|resp|gen|call|toolu|event|evt|sess)[-_][A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*",
        "<id>",
    ),
    (r"\b(?:req|cmpl|msg|resp|gen|call|event|evt|sess)[-_][A-Za-z]{20,}\b", "<id>"),
    (r"\b(?:chatcmpl|toolu)[-_][A-Za-z_-]{8,}", "<id>"),
    // ULIDs.
    (r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b", "<id>"),
    // W3C Trace Context section 3.2.2.
    (r"\b[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b", "<id>"),
    // What is called an id is one, however short it is and whatever it is made of.
    (
        r"(?i)\b((?:request|trace|span|correlation|transaction|event|error|log|inference|call)[ _-]?id|traceparent)(\\?[\x22']?(?: is)? ?[:=#] ?\\?[\x22'(\[]?)[A-Za-z0-9][A-Za-z0-9+/=_-]{7,}",
        "$1$2<id>",
    ),
    (
        r"(?i)\b((?:request|trace|span|correlation|transaction|event|error|log|inference|call)[ _-]?id)(?: is)? [A-Za-z_-]*[0-9][A-Za-z0-9+/=_-]{5,}",
        "$1 <id>",
    ),
    // Hashes and long hexadecimal ids.
    (r"(?i)\b[0-9a-f]{24,}\b", "<hex>"),
    // `<openai.Client object at 0x7f3c5c0b4d90>`.
    (r"\b0x[0-9a-fA-F]{6,}\b", "<pointer>"),
    // RFC 3339, with a blank or a T, with or without zone.
    (r"\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?", "<time>"),
    // RFC 9110 section 5.6.7.
    (r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT", "<time>"),
    // As nginx and Go write it into what they log and answer.
    (r"\b\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}(?:[.,]\d+)?", "<time>"),
    // A date that stands alone; the one inside `gpt-4o-2024-08-06` is part of a name.
    (r"(^|[^\w<-])\d{4}-\d{2}-\d{2}\b", "$1<date>"),
    // `0.123s`, `took 2.01 seconds`. Whole numbers are settings more often than measurements.
    (
        r"\b\d+\.\d+ ?(?:ns|[\u{b5}\u{3bc}u]s|ms|milliseconds?|s|secs?|seconds?|m|min|minutes?)\b",
        "<duration>",
    ),
    (
        r"(?i)\b(took|elapsed|duration|latency)(:| of|=|:=)? ?\d+ ?(?:ns|[\u{b5}\u{3bc}u]s|ms|milliseconds?|s|secs?|seconds?)?\b",
        "$1$2 <duration>",
    ),
    // Seconds or milliseconds since 1970, between 2020 and 2033.
    (r"\b1[6-9]\d{8}(?:\d{3})?(?:\.\d+)?\b", "<epoch>"),
    // Ports are never the same twice.
    (r"(?:\b127\.0\.0\.1|\b0\.0\.0\.0|\blocalhost|\[::1?\]):\d{1,5}\b", "<address>"),
    (r"(?i)\b(port)( |=|: ?|=:)\d{4,5}\b", "$1$2<port>"),
    // Where a proxy is installed.
    (r"(?:/[\w.+@-]+)+/(python3\.\d+|site-packages|node_modules)/", "<folder>/$1/"),
];

/// Members that hold an id of the proxy's own, in small letters and without `_` and `-`.
const ID_MEMBERS: &[&str] = &[
    "id",
    "callid",
    "correlationid",
    "episodeid",
    "errorid",
    "inferenceid",
    "litellmcallid",
    "requestid",
    "responseid",
    "spanid",
    "systemfingerprint",
    "traceid",
    "traceparent",
    "transactionid",
    "uuid",
    "xrequestid",
];

/// Members that hold the time, or how long something took; written likewise.
const TIME_MEMBERS: &[&str] = &[
    "created",
    "createdat",
    "createtime",
    "date",
    "datetime",
    "duration",
    "durationms",
    "elapsed",
    "elapsedms",
    "latency",
    "latencyms",
    "responsetime",
    "time",
    "timestamp",
];

static PATTERNS: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    // The test below compiles every one of them, so none is lost here.
    VOLATILE
        .iter()
        .filter_map(|(pattern, with)| Regex::new(pattern).ok().map(|regex| (regex, *with)))
        .collect()
});

/// `text` with all that varies by itself replaced by placeholders.
pub fn without_volatile(text: &str) -> String {
    let known = PATTERNS.iter().fold(Cow::Borrowed(text), |text, (regex, with)| {
        match regex.replace_all(&text, *with) {
            Cow::Borrowed(_) => text,
            Cow::Owned(changed) => Cow::Owned(changed),
        }
    });
    without_random(&known)
}

/// Whether a member of this name holds an id of the proxy's own, unless it holds a token of upfault's.
pub(super) fn holds_id(member: &str) -> bool {
    ID_MEMBERS.contains(&bare(member).as_str())
}

/// Whether a member of this name holds the time, or how long something took.
pub(super) fn holds_time(member: &str) -> bool {
    TIME_MEMBERS.contains(&bare(member).as_str())
}

fn bare(member: &str) -> String {
    member.replace(['_', '-'], "").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_times_are_known_by_their_members_whatever_they_look_like() {
        assert!(holds_id("trace_id") && holds_id("Correlation-Id") && holds_id("requestId"));
        assert!(holds_time("latency_ms") && holds_time("createTime"));
        assert!(!holds_id("model_id") && !holds_id("param") && !holds_time("timeout"));
    }

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
            ("chatcmpl-kqXvBzWnRtYpLmHdQsFgJcAe", "<id>"),
            ("resp_aBcDeFgHiJkLmNoPqRsTuVwX", "<id>"),
            ("01JD3N8QX5V7W2K9M4T6R1B0ZC", "<id>"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "<id>"),
            ("no (span 00f067aa0ba902b7)", "no (span <id>)"),
            ("V1StGXR8_Z5jdHi6B-myT failed", "<id> failed"),
            ("request id: kqXvBzWn", "request id: <id>"),
            (r#"{"trace_id": "aGVsbG8gd29ybGQ="}"#, r#"{"trace_id": "<id>"}"#),
            ("2026/11/22 10:00:00 [error]", "<time> [error]"),
            ("after 1.52µs", "after <duration>"),
            ("elapsed: 12ms", "elapsed: <duration>"),
            (
                "HTTPConnectionPool(host='127.0.0.1', port=40411)",
                "HTTPConnectionPool(host='127.0.0.1', port=<port>)",
            ),
            ("listening on [::]:40411", "listening on <address>"),
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
            "resp_failed_upstream and msg_too_long",
            "the request id is missing",
            "see x-request-id in the answer's headers",
            "a call id, or an error identifier",
            "InternationalizationException",
            "support at port 443",
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
