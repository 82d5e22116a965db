//! Which errors of a provider's catalogue a word means.

use serde_json::Value;

use super::{catalogue::ErrorRow, profile};
use crate::scenario::{ErrorName, Provider};

/// The errors of a provider that a word means: the one with this name, or else all whose status, type or code it is
/// (`529`, `overloaded_error`, `ThrottlingException`), without regard to case. Empty if it means none.
pub(crate) fn errors_called(provider: Provider, word: &str) -> Vec<ErrorName> {
    if let Ok(name) = word.parse::<ErrorName>() {
        return vec![name];
    }
    let rows = profile::of(provider).errors.iter();
    rows.filter(|(_, row)| is_called(row, word)).map(|(name, _)| *name).collect()
}

fn is_called(row: &ErrorRow, word: &str) -> bool {
    let code = match &row.code {
        Value::String(code) => Some(code.clone()),
        Value::Number(code) => Some(code.to_string()),
        _ => None,
    };
    let names = [Some(row.status.to_string()), row.kind.clone(), code];
    names.into_iter().flatten().any(|name| name.eq_ignore_ascii_case(word))
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
    }
}
