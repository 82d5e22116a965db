//! Recognises keys, tokens, and ids of people and accounts by their form.

use std::sync::LazyLock;

use regex::Regex;

/// How keys of providers begin, before a `-` or `_`.
const KEYS: &str = "sk|pk|gsk|xai|pplx|hf|nvapi|fw|r8|tgp|key|gh[a-z]|xox[a-z]";

/// How ids of accounts begin, before a `-`.
const ACCOUNTS: &str = "org|proj|user|acct";

/// Secrets that are recognised anywhere in a text for people, so each of them is long enough to be nothing else.
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    let parts = [
        r"\bsk-[A-Za-z0-9_*.-]{6,}",
        &format!(r"\b(?:{KEYS})[_-][A-Za-z0-9_-]{{16,}}"),
        // Keys without a prefix: Azure's and Mistral's.
        r"\b(?:[A-Za-z]+[0-9]|[0-9]+[A-Za-z])[A-Za-z0-9]{20,}\b",
        r"\bAIza[0-9A-Za-z_-]{20,}",
        r"\b(?:AKIA|ASIA)[0-9A-Z]{12,}",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?",
        r"\bya29\.[A-Za-z0-9_-]{10,}",
        r"(?i:\bbearer)\s+[A-Za-z0-9._~+/=-]{6,}",
        r"\bBasic\s+(?:[A-Za-z0-9+/]{7,}={1,2}|[A-Za-z+/]*[0-9][A-Za-z0-9+/]{6,})",
        r"(?i)[?&](?:api[-_]?key|key|token|access[-_]token|sig|signature)=[^&\s\x22'\\]+",
        &format!(r"\b(?:{ACCOUNTS})-[A-Za-z0-9]{{6,}}"),
        r"\barn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:[0-9]{12}:[^\s\x22'\\]*",
        r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
        // An account of AWS, and a project of Google Cloud.
        r"\b[0-9]{12}\b",
        r"\bprojects/[A-Za-z0-9:._-]+",
        r"\b(?:\d{1,3}\.){3}\d{1,3}\b",
        r"\b(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}\b",
        r"\b(?:[0-9A-Fa-f]{1,4}:){1,6}(?::[0-9A-Fa-f]{1,4}){1,6}\b",
    ];
    compiled(&parts.join("|"))
});

/// How a secret begins. It may be cut off or short.
static BEGINNING: LazyLock<Regex> = LazyLock::new(|| {
    compiled(&format!("(?:^|[^A-Za-z0-9_-])(?:(?:{KEYS})[_-]|(?:{ACCOUNTS})-|AKIA|ASIA|AIza|eyJ)"))
});

/// What replaces a secret.
const REPLACEMENT: &str = "REDACTED";

fn compiled(pattern: &str) -> Regex {
    // The patterns are constants, and the tests use each of their parts.
    Regex::new(pattern).unwrap_or_else(|error| unreachable!("{error}"))
}

/// Whether a word could be a secret or contain one: also if it is only the beginning of one. For a text for people this is
/// too strict.
pub(crate) fn looks_secret(word: &str) -> bool {
    BEGINNING.is_match(word) || SECRET.is_match(word)
}

/// The text with every secret replaced by `REDACTED`, and how many there were.
pub(crate) fn without_secrets(text: &str) -> (String, usize) {
    let count = SECRET.find_iter(text).count();
    (SECRET.replace_all(text, REPLACEMENT).into_owned(), count)
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
            "ya29.a0AfH6SMBx1234567",
            "Bearer  abcdef123456",
            "Basic dXNlcjpwYXNzd29yZA==",
            "tgp_v1_abcdefghijklmnop",
            "xoxb-1234567890-abcdefgh",
            "123456789012",
            "projects/my-project-7",
            "2001:db8::8a2e:370:7334",
            "2001:0db8:0:0:0:8a2e:0370:7334",
        ] {
            assert_eq!(without_secrets(&format!("a {secret} b")), ("a REDACTED b".to_owned(), 1), "{secret}");
            assert!(looks_secret(secret), "{secret}");
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
            "the basic request limit, Basic authentication, at 12:30:45.123",
            "projects of your organization: 20240229000 tokens",
        ] {
            assert_eq!(without_secrets(text), (text.to_owned(), 0));
        }
    }

    #[test]
    fn the_beginning_of_a_secret_is_enough_in_a_word() {
        for word in
            ["sk-proj", "pplx-abcdefghij", "fw_abc", "r8_abc", "org-1", "eyJhbGci", "a.hf_b", "x[sk-1]"]
        {
            assert!(looks_secret(word), "{word}");
        }
        for word in
            ["invalid_api_key", "x-api-key", "task-1", "messages[0].content", "user", "rate_limit_exceeded"]
        {
            assert!(!looks_secret(word), "{word}");
        }
    }
}
