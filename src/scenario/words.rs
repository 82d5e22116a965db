//! The closed vocabularies of a scenario file: providers, APIs, errors, levels.
//!
//! Every name here is what people write in files and read in reports, so the serde name, the
//! `Display` form and the name in the JSON Schema are one and the same.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares an enum whose variants have one written name each.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $text:literal ),+ $(,)? }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $( $(#[$vmeta])* #[serde(rename = $text)] $variant, )+
        }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name as it is written in files and reports.
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

words! {
    /// A wire dialect with its own error catalogue.
    Provider {
        /// <https://platform.openai.com/docs/api-reference>
        Openai = "openai",
    }
}

words! {
    /// One endpoint of a dialect, as callers call it.
    Api {
        /// `POST /v1/chat/completions`
        OpenaiChat = "openai/chat",
    }
}

impl Api {
    /// The provider whose dialect this API is.
    pub const fn native_provider(self) -> Provider {
        match self {
            Self::OpenaiChat => Provider::Openai,
        }
    }

    /// Where callers send requests, below a proxy's root.
    pub const fn path(self) -> &'static str {
        match self {
            Self::OpenaiChat => "/v1/chat/completions",
        }
    }
}

words! {
    /// How strongly a scenario or a rule speaks (the words of RFC 2119, in spirit).
    Level {
        /// No serious party disagrees: breaking it fails the case.
        Required = "required",
        /// Better practice: reported, and held by the snapshot, but no failure by itself.
        Recommended = "recommended",
        /// Worth knowing.
        Informative = "informative",
    }
}

impl Level {
    /// The weaker of two levels: a required rule under a recommended scenario is recommended.
    pub fn weaker(self, other: Self) -> Self {
        self.max(other)
    }
}

words! {
    /// An error of a provider's catalogue: one meaning, in every provider's own form.
    ErrorName {
        /// The key is wrong.
        InvalidApiKey = "invalid_api_key",
        /// No key was sent.
        MissingApiKey = "missing_api_key",
        /// The key is good but may not do this.
        Permission = "permission",
        /// No such model, or no access to it.
        ModelNotFound = "model_not_found",
        /// A parameter that the provider does not accept.
        BadRequest = "bad_request",
        /// The prompt is longer than the model's context.
        ContextLength = "context_length",
        /// The prompt was refused by a content policy.
        ContentPolicy = "content_policy",
        /// The body is too large.
        TooLarge = "too_large",
        /// Well-formed, but not processable.
        Unprocessable = "unprocessable",
        /// Too many requests.
        RateLimit = "rate_limit",
        /// Too many tokens.
        TokenLimit = "token_limit",
        /// The money is used up; waiting does not help.
        Quota = "quota",
        /// The provider failed.
        Internal = "internal",
        /// A load balancer in front of the provider failed (HTML page).
        BadGateway = "bad_gateway",
        /// The provider is down for the moment.
        Unavailable = "unavailable",
        /// A load balancer gave up waiting for the provider.
        GatewayTimeout = "gateway_timeout",
        /// The provider has no capacity.
        Overloaded = "overloaded",
    }
}
