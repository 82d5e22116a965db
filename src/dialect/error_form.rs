//! The forms of error bodies.

use super::parsed::Vocabulary;

/// The form of error bodies, which the APIs of a provider share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorForm {
    /// `{"error": {"message", "type", "param", "code"}}`
    Openai,
    /// `{"type": "error", "error": {"type", "message"}, "request_id"}`
    Anthropic,
    /// `{"error": {"code", "message", "status"}}`
    Google,
    /// `{"message"}` with the type in the header `x-amzn-errortype`
    Aws,
    /// `{"message"}`
    Cohere,
    /// `{"error": "…"}`
    Ollama,
}

impl ErrorForm {
    /// The form as findings describe it.
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::Openai => {
                r#"{"error": {"message": text, "type": text, "param": text or null, "code": text, number or null}}"#
            }
            Self::Anthropic => r#"{"type": "error", "error": {"type": text, "message": text}}"#,
            Self::Google => r#"{"error": {"code": number, "message": text, "status": text}}"#,
            Self::Aws => {
                r#"{"message": text}, with its type in x-amzn-errortype or as the name of an exception"#
            }
            Self::Cohere => r#"{"message": text}, or in a stream a message-end with an ERROR reason"#,
            Self::Ollama => r#"{"error": text}"#,
        }
    }

    /// The vocabulary of the error's members.
    pub(crate) const fn vocabulary(self) -> Vocabulary {
        match self {
            Self::Openai => Vocabulary::OpenAi,
            Self::Anthropic => Vocabulary::Anthropic,
            Self::Google => Vocabulary::Google,
            Self::Aws => Vocabulary::Aws,
            Self::Cohere | Self::Ollama => Vocabulary::Other,
        }
    }

    /// Whether the error is always nested under `error`. The other forms are flat, or can be in an array.
    pub(crate) const fn is_nested(self) -> bool {
        match self {
            Self::Openai | Self::Anthropic | Self::Ollama => true,
            Self::Google | Self::Aws | Self::Cohere => false,
        }
    }

    /// The prefix of the headers in which clients of this form read rate limits, if they read any.
    pub(crate) const fn rate_limit_prefix(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("x-ratelimit-"),
            Self::Anthropic => Some("anthropic-ratelimit-"),
            Self::Google | Self::Aws | Self::Cohere | Self::Ollama => None,
        }
    }
}
