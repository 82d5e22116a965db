//! The SDKs that were measured, and their releases.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{Api, Provider};

/// An official SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Sdk {
    /// `openai` from PyPI.
    OpenaiPython,
    /// `openai` from npm.
    OpenaiNode,
    /// `anthropic` from PyPI.
    AnthropicPython,
    /// `@anthropic-ai/sdk` from npm.
    AnthropicNode,
}

impl Sdk {
    /// All SDKs that were measured.
    pub const ALL: [Self; 4] =
        [Self::OpenaiPython, Self::OpenaiNode, Self::AnthropicPython, Self::AnthropicNode];

    /// The SDKs that call this endpoint.
    pub fn speaking(api: Api) -> impl Iterator<Item = Self> {
        // Their behaviour in sessions has not been measured.
        let asked = move |sdk: &Self| sdk.provider() == api.native_provider() && !api.is_session();
        Self::ALL.into_iter().filter(asked)
    }

    /// Its name in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenaiPython => "openai-python",
            Self::OpenaiNode => "openai-node",
            Self::AnthropicPython => "anthropic-python",
            Self::AnthropicNode => "anthropic-node",
        }
    }

    /// The release that was measured. `tests/sdk/` runs the same one.
    pub const fn release(self) -> &'static str {
        match self {
            Self::OpenaiPython => "2.54.0",
            Self::OpenaiNode => "6.49.0",
            Self::AnthropicPython => "2.12.0",
            Self::AnthropicNode => "1.12.0",
        }
    }

    const fn provider(self) -> Provider {
        match self {
            Self::OpenaiPython | Self::OpenaiNode => Provider::Openai,
            Self::AnthropicPython | Self::AnthropicNode => Provider::Anthropic,
        }
    }

    pub(super) const fn is_python(self) -> bool {
        matches!(self, Self::OpenaiPython | Self::AnthropicPython)
    }

    pub(super) const fn is_anthropic(self) -> bool {
        matches!(self, Self::AnthropicPython | Self::AnthropicNode)
    }

    /// Selects one of two values by the language of the SDK.
    pub(super) const fn by_language<T: Copy>(self, python: T, node: T) -> T {
        if self.is_python() { python } else { node }
    }
}

impl fmt::Display for Sdk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
