//! Removes keys and personal data from what is copied out of evidence.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// Texts that must not get into a file that people commit: keys of providers, tokens, addresses of people, ids of accounts.
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    let parts = [
        r"\bsk-[A-Za-z0-9_*.-]{6,}",
        r"\b(?:gsk|xai|pplx|hf|nvapi|fw|r8|key|gh[a-z])[_-][A-Za-z0-9_-]{16,}",
        // Keys without a prefix: Azure's and Mistral's.
        r"\b(?:[A-Za-z]+[0-9]|[0-9]+[A-Za-z])[A-Za-z0-9]{20,}\b",
        r"\bAIza[0-9A-Za-z_-]{20,}",
        r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?",
        r"(?i)\bbearer [A-Za-z0-9._~+/=-]{6,}",
        r"\b(?:org|proj|user|acct)-[A-Za-z0-9]{6,}",
        r"\barn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:[0-9]{12}:[^\s\x22'\\]*",
        r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
        r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
    ];
    // The pattern is a constant, and the tests use each of its parts.
    Regex::new(&parts.join("|")).unwrap_or_else(|error| unreachable!("{error}"))
});

/// What replaces them.
const REPLACEMENT: &str = "REDACTED";

/// The text without keys and personal data, and how many were replaced.
pub(super) fn redacted(text: &str) -> (String, usize) {
    let count = SECRET.find_iter(text).count();
    (SECRET.replace_all(text, REPLACEMENT).into_owned(), count)
}

/// The JSON with its texts [redacted], and how many were replaced.
pub(super) fn redacted_json(json: Value) -> (Value, usize) {
    match json {
        Value::String(text) => {
            let (text, count) = redacted(&text);
            (Value::String(text), count)
        }
        Value::Array(items) => {
            let (items, counts): (Vec<Value>, Vec<usize>) = items.into_iter().map(redacted_json).unzip();
            (Value::Array(items), counts.iter().sum())
        }
        Value::Object(members) => {
            let mut count = 0;
            let members = members.into_iter().map(|(name, value)| {
                let (value, more) = redacted_json(value);
                count += more;
                (name, value)
            });
            (Value::Object(members.collect()), count)
        }
        other => (other, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_personal_data_are_replaced() {
        for secret in [
            "sk-proj-abcDEF0123456789",
            "sk-ant-api03-xyz_123",
            "sk-1234****5678",
            "gsk_abcdefghijklmnopqrst",
            "AIzaSyA1234567890abcdefghijk",
            "AKIAIOSFODNN7EXAMPLE",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
            "Bearer abcdef123456",
            "org-AbCdEf123456",
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/x",
            "jane.doe@example.com",
            "203.0.113.7",
            "ghp_abcdefghijklmnop1234",
            "0123456789abcdef0123456789abcdef",
        ] {
            assert_eq!(redacted(&format!("a {secret} b")), ("a REDACTED b".to_owned(), 1), "{secret}");
        }
    }

    #[test]
    fn words_of_providers_are_kept() {
        for text in [
            "You exceeded your current quota",
            "type.googleapis.com/google.rpc.RetryInfo",
            "Limit 30000, Used 29000. Please try again in 7s.",
            "anthropic.claude-3-sonnet-20240229-v1:0 gpt-4o-mini 2026-11-30",
            "user-agent org-wide x-api-key",
        ] {
            assert_eq!(redacted(text), (text.to_owned(), 0));
        }
    }
}
