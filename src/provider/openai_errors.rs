//! OpenAI's error catalogue.
//!
//! Sources: <https://developers.openai.com/api/docs/guides/error-codes> (documented), recorded
//! fixtures of SDKs, and bodies quoted in public issues; each row says which.

use super::catalogue::{
    Confidence::{Documented, Recalled, Recorded, Reported},
    ErrorForm::{HtmlPage, Json},
    ErrorRow, Limits,
};
use crate::scenario::ErrorName;

const INVALID: &str = "invalid_request_error";

/// A row whose body is OpenAI's error object, without limit headers.
const fn row(name: ErrorName, status: u16, kind: &'static str, text: &'static str) -> ErrorRow {
    ErrorRow {
        name,
        status,
        kind,
        code: None,
        param: None,
        text,
        form: Json,
        limits: Limits::None,
        confidence: Recalled,
        source: "",
    }
}

/// One row for each error name, in the order of [`ErrorName::ALL`].
pub(super) const ROWS: [ErrorRow; 17] = [
    ErrorRow {
        code: Some("invalid_api_key"),
        confidence: Reported,
        source: "continuedev/continue#10398",
        ..row(
            ErrorName::InvalidApiKey,
            401,
            INVALID,
            "Incorrect API key provided: sk-ab***yz. You can find your API key at https://platform.openai.com/account/api-keys.",
        )
    },
    ErrorRow {
        confidence: Reported,
        source: "continuedev/continue#11228 (text; type and code recalled)",
        ..row(
            ErrorName::MissingApiKey,
            401,
            INVALID,
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the API from your browser and are prompted for a username and password. You can obtain an API key from https://platform.openai.com/account/api-keys.",
        )
    },
    ErrorRow {
        code: Some("unsupported_country_region_territory"),
        confidence: Documented,
        source: "error-codes guide (status and meaning; body recalled)",
        ..row(ErrorName::Permission, 403, "request_forbidden", "Country, region, or territory not supported")
    },
    ErrorRow {
        code: Some("model_not_found"),
        confidence: Reported,
        source: "Aider-AI/aider#2030",
        ..row(
            ErrorName::ModelNotFound,
            404,
            INVALID,
            "The model `{model}` does not exist or you do not have access to it.",
        )
    },
    ErrorRow {
        code: Some("unsupported_parameter"),
        param: Some("max_tokens"),
        confidence: Recorded,
        source: "vercel/ai fixtures",
        ..row(
            ErrorName::BadRequest,
            400,
            INVALID,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        )
    },
    ErrorRow {
        code: Some("context_length_exceeded"),
        param: Some("messages"),
        confidence: Reported,
        source: "chathub-dev/chathub#126",
        ..row(
            ErrorName::ContextLength,
            400,
            INVALID,
            "This model's maximum context length is 4097 tokens. However, your messages resulted in 4294 tokens. Please reduce the length of the messages.",
        )
    },
    ErrorRow {
        code: Some("invalid_prompt"),
        confidence: Documented,
        source: "OpenAPI description (code; text recalled)",
        ..row(
            ErrorName::ContentPolicy,
            400,
            INVALID,
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy. Please try again with a different prompt.",
        )
    },
    row(
        ErrorName::TooLarge,
        413,
        INVALID,
        "Maximum content size limit (26214400) exceeded (26214401 bytes read)",
    ),
    row(
        ErrorName::Unprocessable,
        422,
        INVALID,
        "Unable to process the request despite the format being correct.",
    ),
    ErrorRow {
        code: Some("rate_limit_exceeded"),
        limits: Limits::Requests,
        confidence: Reported,
        source: "several issues (text; type recalled)",
        ..row(
            ErrorName::RateLimit,
            429,
            "requests",
            "Rate limit reached for {model} in organization org-mock on requests per min (RPM): Limit 500, Used 500, Requested 1. Please try again in 7s. Visit https://platform.openai.com/account/rate-limits to learn more.",
        )
    },
    ErrorRow {
        code: Some("rate_limit_exceeded"),
        limits: Limits::Tokens,
        confidence: Reported,
        source: "continuedev/continue#10502",
        ..row(
            ErrorName::TokenLimit,
            429,
            "tokens",
            "Rate limit reached for {model} in organization org-mock on tokens per min (TPM): Limit 30000, Used 29593, Requested 3907. Please try again in 7s. Visit https://platform.openai.com/account/rate-limits to learn more.",
        )
    },
    ErrorRow {
        code: Some("insufficient_quota"),
        confidence: Recorded,
        source: "vercel/ai fixtures",
        ..row(
            ErrorName::Quota,
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.",
        )
    },
    ErrorRow {
        confidence: Recorded,
        source: "vercel/ai tests",
        ..row(
            ErrorName::Internal,
            500,
            "server_error",
            "The server had an error while processing your request. Sorry about that! You can retry your request, or contact us through our help center at help.openai.com if you keep seeing this error.",
        )
    },
    ErrorRow { form: HtmlPage, ..row(ErrorName::BadGateway, 502, "server_error", "502 Bad Gateway") },
    row(
        ErrorName::Unavailable,
        503,
        "server_error",
        "The server is temporarily unable to handle your request. Please try again later.",
    ),
    ErrorRow {
        form: HtmlPage,
        ..row(ErrorName::GatewayTimeout, 504, "server_error", "504 Gateway Time-out")
    },
    ErrorRow {
        code: Some("server_is_overloaded"),
        confidence: Documented,
        source: "error-codes guide (type and code; text recalled)",
        ..row(
            ErrorName::Overloaded,
            503,
            "service_unavailable_error",
            "The engine is currently overloaded, please try again later.",
        )
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_name_has_its_row_at_its_own_place() {
        for (name, row) in ErrorName::ALL.iter().zip(&ROWS) {
            assert_eq!(*name, row.name);
        }
        assert_eq!(ErrorName::ALL.len(), ROWS.len());
    }

    #[test]
    fn a_row_that_is_not_recalled_names_its_source() {
        for row in &ROWS {
            assert_eq!(row.confidence == Recalled, row.source.is_empty(), "{}", row.name);
        }
    }
}
