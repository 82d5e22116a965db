//! The closed vocabularies of a scenario file: providers, APIs, errors, levels.
//!
//! These names occur in files and in reports, so the serde name, the `Display` form and the name in the JSON
//! Schema are identical.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

words! {
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

impl Api {
    /// The provider that defined this API.
    pub const fn native_provider(self) -> Provider {
        match self {
            Self::OpenaiChat
            | Self::OpenaiResponses
            | Self::OpenaiCompletions
            | Self::OpenaiEmbeddings
            | Self::OpenaiImages
            | Self::OpenaiSpeech
            | Self::OpenaiTranscriptions
            | Self::OpenaiModerations
            | Self::OpenaiModels
            | Self::OpenaiFiles
            | Self::OpenaiBatches
            | Self::OpenaiRealtime => Provider::Openai,
            Self::AnthropicMessages | Self::AnthropicCountTokens => Provider::Anthropic,
            Self::GeminiGenerate => Provider::Gemini,
            Self::BedrockConverse | Self::BedrockInvoke => Provider::Bedrock,
            Self::CohereChat | Self::CohereEmbed | Self::CohereRerank => Provider::Cohere,
            Self::OllamaChat | Self::OllamaGenerate => Provider::Ollama,
        }
    }

    /// Whether a caller can request a stream of events.
    pub const fn streams(self) -> bool {
        matches!(
            self,
            Self::OpenaiChat
                | Self::OpenaiResponses
                | Self::OpenaiCompletions
                | Self::AnthropicMessages
                | Self::GeminiGenerate
                | Self::BedrockConverse
                | Self::BedrockInvoke
                | Self::CohereChat
                | Self::OllamaChat
                | Self::OllamaGenerate
        )
    }

    /// Whether it is a provider's chat endpoint, with which the other endpoints are compared.
    pub const fn is_chat(self) -> bool {
        matches!(
            self,
            Self::OpenaiChat
                | Self::AnthropicMessages
                | Self::GeminiGenerate
                | Self::BedrockConverse
                | Self::CohereChat
                | Self::OllamaChat
        )
    }

    /// Whether it is a session: a WebSocket (RFC 6455) on which both sides send events. A session is neither a
    /// plain response nor a stream.
    pub const fn is_session(self) -> bool {
        matches!(self, Self::OpenaiRealtime)
    }

    /// Whether its request is a `multipart/form-data` form instead of JSON.
    pub const fn is_form(self) -> bool {
        matches!(self, Self::OpenaiTranscriptions | Self::OpenaiFiles)
    }

    /// The HTTP method, `GET` or `POST`.
    pub const fn method(self) -> &'static str {
        match self {
            Self::OpenaiModels | Self::OpenaiRealtime => "GET",
            _ => "POST",
        }
    }

    /// The path of the endpoint below a proxy's root. `{model}` is the placeholder for the model's name in the
    /// dialects that have it in the path; these have a separate path for streams.
    pub const fn path(self, stream: bool) -> &'static str {
        match (self, stream) {
            (Self::OpenaiChat, _) => "/v1/chat/completions",
            (Self::OpenaiResponses, _) => "/v1/responses",
            (Self::OpenaiCompletions, _) => "/v1/completions",
            (Self::OpenaiEmbeddings, _) => "/v1/embeddings",
            (Self::OpenaiImages, _) => "/v1/images/generations",
            (Self::OpenaiSpeech, _) => "/v1/audio/speech",
            (Self::OpenaiTranscriptions, _) => "/v1/audio/transcriptions",
            (Self::OpenaiModerations, _) => "/v1/moderations",
            (Self::OpenaiModels, _) => "/v1/models",
            (Self::OpenaiFiles, _) => "/v1/files",
            (Self::OpenaiBatches, _) => "/v1/batches",
            (Self::OpenaiRealtime, _) => "/v1/realtime",
            (Self::AnthropicMessages, _) => "/v1/messages",
            (Self::AnthropicCountTokens, _) => "/v1/messages/count_tokens",
            (Self::GeminiGenerate, false) => "/v1beta/models/{model}:generateContent",
            (Self::GeminiGenerate, true) => "/v1beta/models/{model}:streamGenerateContent?alt=sse",
            (Self::BedrockConverse, false) => "/model/{model}/converse",
            (Self::BedrockConverse, true) => "/model/{model}/converse-stream",
            (Self::BedrockInvoke, false) => "/model/{model}/invoke",
            (Self::BedrockInvoke, true) => "/model/{model}/invoke-with-response-stream",
            (Self::CohereChat, _) => "/v2/chat",
            (Self::CohereEmbed, _) => "/v2/embed",
            (Self::CohereRerank, _) => "/v2/rerank",
            (Self::OllamaChat, _) => "/api/chat",
            (Self::OllamaGenerate, _) => "/api/generate",
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

words! {
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
