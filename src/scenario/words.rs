//! The vocabularies of a scenario file: providers, APIs, errors, levels.
//!
//! These names occur in files and in reports, so the serde name, the `Display` form and the name in the JSON
//! Schema are identical.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::open_words::open_words;

/// Declares an enum whose variants each have one name for files, reports and the schema.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $text:literal ),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(test, derive(JsonSchema))]
        pub enum $name {
            $( $(#[$vmeta])* #[serde(rename = $text)] $variant, )+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name of every value, in the same order.
            pub const NAMES: &'static [&'static str] = &[ $( $text, )+ ];

            /// The name in files and reports.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $text, )+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text)
                    .ok_or_else(|| format!("`{text}` is none of: {}",
                        Self::ALL.iter().map(|w| w.as_str()).collect::<Vec<_>>().join(", ")))
            }
        }
    };
}

pub(crate) use words;

words! {
    /// The transport between a proxy and an upstream.
    Transport {
        /// HTTP/1.1 over TCP.
        Plain = "plain",
        /// HTTP/1.1 over TLS, with a certificate issued by the run's own CA.
        Tls = "tls",
        /// HTTP/2 over TLS, negotiated by ALPN.
        Http2 = "http2",
    }
}

open_words! {
    /// The provider that a proxy calls: an API dialect with its own error catalogue.
    Provider {
        /// OpenAI, <https://platform.openai.com/docs/api-reference>
        Openai = "openai",
        /// Azure OpenAI, <https://learn.microsoft.com/azure/ai-services/openai/reference>
        Azure = "azure",
        /// Anthropic, <https://platform.claude.com/docs/en/api>
        Anthropic = "anthropic",
        /// Google Gemini (AI Studio), <https://ai.google.dev/api>
        Gemini = "gemini",
        /// Google Vertex AI, <https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest>
        Vertex = "vertex",
        /// AWS Bedrock, <https://docs.aws.amazon.com/bedrock/latest/APIReference>
        Bedrock = "bedrock",
        /// Mistral, <https://docs.mistral.ai/api>
        Mistral = "mistral",
        /// Cohere, <https://docs.cohere.com/reference>
        Cohere = "cohere",
        /// Groq, <https://console.groq.com/docs/api-reference>
        Groq = "groq",
        /// DeepSeek, <https://api-docs.deepseek.com>
        Deepseek = "deepseek",
        /// Together AI, <https://docs.together.ai/reference>
        Together = "together",
        /// Fireworks AI, <https://docs.fireworks.ai/api-reference>
        Fireworks = "fireworks",
        /// xAI, <https://docs.x.ai/docs/api-reference>
        Xai = "xai",
        /// Perplexity, <https://docs.perplexity.ai/api-reference>
        Perplexity = "perplexity",
        /// OpenRouter, <https://openrouter.ai/docs/api/reference>
        Openrouter = "openrouter",
        /// Ollama, <https://docs.ollama.com/api>
        Ollama = "ollama",
        /// vLLM's OpenAI-compatible server, <https://docs.vllm.ai>
        Vllm = "vllm",
        /// Hugging Face Text Generation Inference, <https://huggingface.co/docs/text-generation-inference>
        Tgi = "tgi",
        /// NVIDIA NIM, <https://docs.api.nvidia.com/nim/reference>
        Nvidia = "nvidia",
    }
}

words! {
    /// One endpoint of a dialect. The endpoint that a caller calls and the one that the proxy calls can differ.
    Api {
        /// `POST /v1/chat/completions`
        OpenaiChat = "openai/chat",
        /// `POST /v1/responses`
        OpenaiResponses = "openai/responses",
        /// `POST /v1/completions`
        OpenaiCompletions = "openai/completions",
        /// `POST /v1/embeddings`
        OpenaiEmbeddings = "openai/embeddings",
        /// `POST /v1/images/generations`
        OpenaiImages = "openai/images",
        /// `POST /v1/audio/speech`
        OpenaiSpeech = "openai/speech",
        /// `POST /v1/audio/transcriptions`, a multipart form
        OpenaiTranscriptions = "openai/transcriptions",
        /// `POST /v1/moderations`
        OpenaiModerations = "openai/moderations",
        /// `GET /v1/models`
        OpenaiModels = "openai/models",
        /// `POST /v1/files`, a multipart form
        OpenaiFiles = "openai/files",
        /// `POST /v1/batches`
        OpenaiBatches = "openai/batches",
        /// `GET /v1/realtime`, a session over a WebSocket
        OpenaiRealtime = "openai/realtime",
        /// `POST /v1/messages`
        AnthropicMessages = "anthropic/messages",
        /// `POST /v1/messages/count_tokens`
        AnthropicCountTokens = "anthropic/count_tokens",
        /// `POST /v1beta/models/{model}:generateContent`, `:streamGenerateContent` for a stream
        GeminiGenerate = "gemini/generate",
        /// `POST /model/{model}/converse`, `/converse-stream` for a stream
        BedrockConverse = "bedrock/converse",
        /// `POST /model/{model}/invoke`, `/invoke-with-response-stream` for a stream
        BedrockInvoke = "bedrock/invoke",
        /// `POST /v2/chat`
        CohereChat = "cohere/chat",
        /// `POST /v2/embed`
        CohereEmbed = "cohere/embed",
        /// `POST /v2/rerank`
        CohereRerank = "cohere/rerank",
        /// `POST /api/chat`
        OllamaChat = "ollama/chat",
        /// `POST /api/generate`
        OllamaGenerate = "ollama/generate",
    }
}

/// The kind of an endpoint, from which its request and its response follow.
#[derive(Clone, Copy)]
enum EndpointKind {
    /// Receives JSON; sends one message of a chat, or a stream.
    Chat,
    /// Receives JSON; sends one body or a stream.
    Streamed,
    /// Receives JSON; sends one body.
    Whole,
    /// Receives a `multipart/form-data` form; sends one body.
    Form,
    /// Receives a `GET`; sends one body.
    List,
    /// A WebSocket (RFC 6455) on which both sides send events.
    Session,
}

impl Api {
    /// What scenarios must know about the endpoint: the provider that defined it, and its kind. Module `dialect` knows
    /// what its requests and responses look like.
    const fn row(self) -> (Provider, EndpointKind) {
        use EndpointKind::{Chat, Form, List, Session, Streamed, Whole};
        match self {
            Self::OpenaiChat => (Provider::Openai, Chat),
            Self::OpenaiResponses => (Provider::Openai, Streamed),
            Self::OpenaiCompletions => (Provider::Openai, Streamed),
            Self::OpenaiEmbeddings => (Provider::Openai, Whole),
            Self::OpenaiImages => (Provider::Openai, Whole),
            Self::OpenaiSpeech => (Provider::Openai, Whole),
            Self::OpenaiTranscriptions => (Provider::Openai, Form),
            Self::OpenaiModerations => (Provider::Openai, Whole),
            Self::OpenaiModels => (Provider::Openai, List),
            Self::OpenaiFiles => (Provider::Openai, Form),
            Self::OpenaiBatches => (Provider::Openai, Whole),
            Self::OpenaiRealtime => (Provider::Openai, Session),
            Self::AnthropicMessages => (Provider::Anthropic, Chat),
            Self::AnthropicCountTokens => (Provider::Anthropic, Whole),
            Self::GeminiGenerate => (Provider::Gemini, Chat),
            Self::BedrockConverse => (Provider::Bedrock, Chat),
            Self::BedrockInvoke => (Provider::Bedrock, Streamed),
            Self::CohereChat => (Provider::Cohere, Chat),
            Self::CohereEmbed => (Provider::Cohere, Whole),
            Self::CohereRerank => (Provider::Cohere, Whole),
            Self::OllamaChat => (Provider::Ollama, Chat),
            Self::OllamaGenerate => (Provider::Ollama, Streamed),
        }
    }

    /// The provider that defined this API.
    pub const fn native_provider(self) -> Provider {
        self.row().0
    }

    /// Whether a caller can request a stream of events.
    pub const fn streams(self) -> bool {
        matches!(self.row().1, EndpointKind::Chat | EndpointKind::Streamed)
    }

    /// Whether it is a provider's chat endpoint, with which the other endpoints are compared.
    pub const fn is_chat(self) -> bool {
        matches!(self.row().1, EndpointKind::Chat)
    }

    /// Whether it is a session. A session is neither a plain response nor a stream.
    pub const fn is_session(self) -> bool {
        matches!(self.row().1, EndpointKind::Session)
    }

    /// Whether its request is a `multipart/form-data` form instead of JSON.
    pub const fn is_form(self) -> bool {
        matches!(self.row().1, EndpointKind::Form)
    }

    /// The HTTP method, `GET` or `POST`.
    pub const fn method(self) -> &'static str {
        match self.row().1 {
            EndpointKind::List | EndpointKind::Session => "GET",
            EndpointKind::Chat | EndpointKind::Streamed | EndpointKind::Whole | EndpointKind::Form => "POST",
        }
    }
}

words! {
    /// How binding a scenario or a rule is, in the sense of RFC 2119.
    ///
    /// # Examples
    ///
    /// ```
    /// use upfault::Level;
    ///
    /// assert_eq!(Level::Required.as_str(), "required");
    /// ```
    Level {
        /// Undisputed: a violation fails the case.
        Required = "required",
        /// Good practice: a violation is reported and recorded in the snapshot, but does not fail the case by itself.
        Recommended = "recommended",
        /// Worth knowing.
        Informative = "informative",
    }
}

impl Level {
    /// Returns the weaker of two levels: a required rule in a recommended scenario is recommended.
    pub fn weaker(self, other: Self) -> Self {
        self.max(other)
    }
}

open_words! {
    /// An error of the provider catalogue. Each provider reports it in its own form.
    ErrorName {
        /// The API key is wrong.
        InvalidApiKey = "invalid_api_key",
        /// The request has no API key.
        MissingApiKey = "missing_api_key",
        /// The API key is valid but lacks the permission.
        Permission = "permission",
        /// The model does not exist, or the API key has no access to it.
        ModelNotFound = "model_not_found",
        /// The provider does not accept a parameter.
        BadRequest = "bad_request",
        /// The prompt is longer than the model's context.
        ContextLength = "context_length",
        /// A content policy refused the prompt.
        ContentPolicy = "content_policy",
        /// The request body is too large.
        TooLarge = "too_large",
        /// The request is well-formed but cannot be processed.
        Unprocessable = "unprocessable",
        /// The caller sent too many requests.
        RateLimit = "rate_limit",
        /// The caller used too many tokens.
        TokenLimit = "token_limit",
        /// The account's credit is used up; waiting does not help.
        Quota = "quota",
        /// The provider failed internally.
        Internal = "internal",
        /// A load balancer in front of the provider failed (HTML page).
        BadGateway = "bad_gateway",
        /// The provider is temporarily down.
        Unavailable = "unavailable",
        /// A load balancer timed out waiting for the provider.
        GatewayTimeout = "gateway_timeout",
        /// The provider has no capacity.
        Overloaded = "overloaded",
        /// OpenAI: the organization's prepaid credit is used up.
        CreditBalanceExhausted = "credit_balance_exhausted",
        /// OpenAI: the organization has reached the spend limit that it set itself.
        OrganizationSpendLimitExceeded = "organization_spend_limit_exceeded",
        /// OpenAI: the project has reached the spend limit that its organization set.
        ProjectSpendLimitExceeded = "project_spend_limit_exceeded",
        /// OpenAI: the organization has reached the monthly limit that OpenAI assigned to it.
        OrganizationUsageLimitExceeded = "organization_usage_limit_exceeded",
        /// OpenAI: the rate of the requests rises too fast.
        SlowDown = "slow_down",
    }
}

impl ErrorName {
    /// The errors that every provider has, in the order of declaration.
    pub const COMMON: &'static [Self] = Self::ALL.split_at(Self::CreditBalanceExhausted.index()).0;

    /// For an error that only some providers distinguish, or that a project has added: the error that the others send
    /// instead.
    pub const fn wider(self) -> Option<Self> {
        match self {
            Self::CreditBalanceExhausted
            | Self::OrganizationSpendLimitExceeded
            | Self::ProjectSpendLimitExceeded
            | Self::OrganizationUsageLimitExceeded => Some(Self::Quota),
            Self::SlowDown => Some(Self::RateLimit),
            Self::Own(own) => Some(own.like),
            _ => None,
        }
    }
}

words! {
    /// The shape of an error event, for dialects that have more than one.
    EventForm {
        /// OpenAI Responses: `event: error` with `code`, `message` and `param` at the top level, as in
        /// its OpenAPI description. The recorded form nests them and is followed by `response.failed`.
        Flat = "flat",
        /// OpenAI Responses: `response.failed` alone.
        Failed = "failed",
        /// An `event: error` line before `data:`, in dialects whose events otherwise have only a `data:` line.
        Named = "named",
        /// Only a `data:` line, in dialects that name their events.
        Unnamed = "unnamed",
        /// A JSON object on its own line, without `data:`.
        Bare = "bare",
        /// AWS event stream: a message of type `error` instead of `exception`.
        LowLevel = "low_level",
    }
}
