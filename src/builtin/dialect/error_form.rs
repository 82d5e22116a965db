//! The error type and the header of the request id that the callers of each error form expect.

use crate::dialect::ErrorForm;

impl ErrorForm {
    /// The error type for a status, for an error without a type; `None` if the form has no types.
    ///
    /// Sources: the error pages of Anthropic and Google, the service model of Bedrock.
    pub(crate) const fn error_type(self, status: u16) -> Option<&'static str> {
        Some(match self {
            Self::Anthropic => match status {
                401 => "authentication_error",
                402 => "billing_error",
                403 => "permission_error",
                404 => "not_found_error",
                409 => "conflict_error",
                413 => "request_too_large",
                429 => "rate_limit_error",
                503 | 529 => "overloaded_error",
                504 => "timeout_error",
                400..500 => "invalid_request_error",
                _ => "api_error",
            },
            Self::Google => match status {
                401 => "UNAUTHENTICATED",
                403 => "PERMISSION_DENIED",
                404 => "NOT_FOUND",
                409 => "ABORTED",
                429 => "RESOURCE_EXHAUSTED",
                499 => "CANCELLED",
                502 | 503 | 529 => "UNAVAILABLE",
                504 => "DEADLINE_EXCEEDED",
                400..500 => "INVALID_ARGUMENT",
                _ => "INTERNAL",
            },
            Self::Aws => match status {
                401 | 403 => "AccessDeniedException",
                404 => "ResourceNotFoundException",
                408 | 504 => "ModelTimeoutException",
                413 => "RequestEntityTooLargeException",
                424 => "ModelErrorException",
                429 => "ThrottlingException",
                502 | 503 | 529 => "ServiceUnavailableException",
                400..500 => "ValidationException",
                _ => "InternalServerException",
            },
            Self::Openai | Self::Cohere | Self::Ollama => return None,
        })
    }

    /// The header in which callers of this form expect the request id.
    pub(crate) const fn request_id_header(self) -> &'static str {
        match self {
            Self::Anthropic => "request-id",
            Self::Aws => "x-amzn-requestid",
            Self::Openai | Self::Google | Self::Cohere | Self::Ollama => "x-request-id",
        }
    }
}
