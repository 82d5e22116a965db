//! The status that an error states in its words, for an error that has no status of its own.

use serde_json::Value;

/// The words that state a status, in lower case: types and codes of OpenAI, Anthropic and Google, exceptions of AWS.
const WORDS: &[(u16, &[&str])] = &[
    (
        400,
        &[
            "context_length_exceeded",
            "invalid_prompt",
            "unsupported_parameter",
            "invalid_argument",
            "badrequesterror",
            "validationexception",
        ],
    ),
    (401, &["authentication_error", "invalid_api_key", "unauthenticated"]),
    (402, &["billing_error"]),
    (403, &["permission_error", "permission_denied", "accessdeniedexception"]),
    (404, &["not_found_error", "model_not_found", "not_found", "notfounderror"]),
    (408, &["modeltimeoutexception"]),
    (413, &["request_too_large"]),
    (424, &["modelstreamerrorexception"]),
    (
        429,
        &[
            "rate_limit_error",
            "rate_limit_exceeded",
            "rate_limited",
            "insufficient_quota",
            "too_many_requests",
            "toomanyrequestserror",
            "resource_exhausted",
            "throttlingexception",
        ],
    ),
    (
        500,
        &[
            "api_error",
            "server_error",
            "internal",
            "internal_server_error",
            "internalservererror",
            "internalserverexception",
        ],
    ),
    (
        503,
        &[
            "server_is_overloaded",
            "service_overloaded",
            "service_unavailable",
            "service_unavailable_error",
            "unavailable",
            "serviceunavailableexception",
        ],
    ),
    (504, &["timeout_error", "deadline_exceeded"]),
    (529, &["overloaded_error"]),
];

/// The type of most errors of OpenAI and Anthropic that blame the request. DeepSeek uses it as the code of every
/// error, so any other word says more.
const ANY_BAD_REQUEST: &str = "invalid_request_error";

/// The status that an error's code and type state: a code that is a status, or a word that means one. `None` if
/// neither does, so that a proxy can only guess.
pub(crate) fn stated_status(code: &Value, kind: &Value) -> Option<u16> {
    let number = match code {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let number = number.and_then(|number| u16::try_from(number).ok()).filter(|n| (400..600).contains(n));
    let words = || [code, kind].into_iter().filter_map(Value::as_str).map(str::to_ascii_lowercase);
    number
        .or_else(|| {
            words().find_map(|word| WORDS.iter().find(|row| row.1.contains(&&*word)).map(|row| row.0))
        })
        .or_else(|| words().any(|word| word == ANY_BAD_REQUEST).then_some(400))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_code_that_is_a_status_counts_before_words_and_a_code_before_a_type() {
        for (code, kind, status) in [
            (json!(429), json!("BadRequestError"), Some(429)),
            (json!("503"), Value::Null, Some(503)),
            (json!("model_not_found"), json!("invalid_request_error"), Some(404)),
            (json!("invalid_request_error"), json!("rate_limit_error"), Some(429)),
            (json!("something_new"), json!("invalid_request_error"), Some(400)),
            (Value::Null, json!("ThrottlingException"), Some(429)),
            (json!(8), json!("RESOURCE_EXHAUSTED"), Some(429)),
            (json!("1300"), Value::Null, None),
            (json!(200), json!("error"), None),
            (Value::Null, Value::Null, None),
        ] {
            assert_eq!(stated_status(&code, &kind), status, "{code} {kind}");
        }
    }
}
