//! Which errors of a provider's catalogue a word means.

use serde_json::Value;

use super::{catalogue::ErrorRow, profile};
use crate::scenario::{ErrorName, Provider, is_same_form, meaning};

/// The errors of a provider that a word means: the one with this name, or else all whose status, type or code it is
/// (`529`, `overloaded_error`, `ThrottlingException`), without regard to its form, or else the one that people call so
/// (`throttled`). Empty if it means none.
pub(crate) fn errors_called(provider: Provider, word: &str) -> Vec<ErrorName> {
    if let Some(name) = error_named(word) {
        return vec![name];
    }
    let sent = errors_that_send(provider, word);
    if sent.is_empty() { error_meant(word).into_iter().collect() } else { sent }
}

/// The error with this name, also with hyphens or spaces, or in upper case.
pub(crate) fn error_named(word: &str) -> Option<ErrorName> {
    word.parse().ok().or_else(|| word.trim().to_lowercase().replace(['-', ' '], "_").parse().ok())
}

/// The error that people call so. A status means only the errors that have it.
pub(crate) fn error_meant(word: &str) -> Option<ErrorName> {
    let is_status = word.bytes().all(|byte| byte.is_ascii_digit());
    meaning(word, ErrorName::names()).filter(|_| !is_status)?.parse().ok()
}

/// The errors of a provider whose status, type or code is this word: exactly, or else in another form.
pub(crate) fn errors_that_send(provider: Provider, word: &str) -> Vec<ErrorName> {
    let called = |is_same: fn(&str, &str) -> bool| -> Vec<ErrorName> {
        let rows = profile::of(provider).errors.iter();
        rows.filter(|(_, row)| is_called(row, word, is_same)).map(|(name, _)| *name).collect()
    };
    let exact = called(str::eq_ignore_ascii_case);
    if exact.is_empty() { called(is_same_form) } else { exact }
}

fn is_called(row: &ErrorRow, word: &str, is_same: fn(&str, &str) -> bool) -> bool {
    let code = match &row.code {
        Value::String(code) => Some(code.clone()),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    };
    let names = [Some(row.status.to_string()), row.kind.clone(), code];
    names.into_iter().flatten().any(|name| is_same(&name, word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_by_what_people_see_in_a_log() {
        let named = |provider, word| {
            let names: Vec<&str> = errors_called(provider, word).into_iter().map(ErrorName::as_str).collect();
            names.join(" ")
        };
        assert_eq!(named(Provider::Anthropic, "overloaded"), "overloaded");
        assert_eq!(named(Provider::Anthropic, "529"), "overloaded");
        assert_eq!(named(Provider::Anthropic, "overloaded_error"), "overloaded");
        assert_eq!(named(Provider::Bedrock, "throttlingException"), "rate_limit token_limit");
        assert_eq!(named(Provider::Gemini, "RESOURCE_EXHAUSTED"), "rate_limit token_limit quota");
        assert_eq!(named(Provider::Openai, "insufficient_quota").split(' ').next(), Some("quota"));
        assert_eq!(named(Provider::Openai, "teapot"), "");
        for word in ["throttled", "ThrottledException", "rate limit", "Rate-Limit"] {
            assert_eq!(named(Provider::Bedrock, word), "rate_limit", "{word}");
        }
        assert_eq!(named(Provider::Bedrock, "throttling"), "rate_limit token_limit");
        assert_eq!(named(Provider::Anthropic, "Overloaded"), "overloaded");
        assert_eq!(named(Provider::Openai, "529"), "", "a status that it does not send");
    }
}
