//! The origin of an error, as plain data.

use std::fmt;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observation::StepName;

/// The origin of one error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct ErrorOrigin {
    /// The request of the case that got the error.
    pub step: StepName,
    /// The source of the error.
    pub maker: ErrorSource,
    /// The evidence for the source.
    pub evidence: Vec<Evidence>,
    /// The fate of each detail of the upstream's error. If the source is not an upstream, of the error of the last
    /// upstream that failed.
    pub details: Vec<TracedDetail>,
}

/// The source of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorSource {
    /// An upstream: the response contains tokens that the upstream planted.
    Upstream {
        /// The deployment of the case.
        deployment: String,
        /// The 1-based attempt number.
        n: u32,
    },
    /// The proxy: the response contains no token of an upstream.
    Proxy,
    /// upfault itself; the error says nothing about the proxy.
    Upfault,
    /// No source: an upstream failed, but the caller got no error.
    #[serde(rename = "none", alias = "nobody")]
    Unreported,
}

impl fmt::Display for ErrorSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream { deployment, n } => write!(f, "upstream {deployment}#{n}"),
            Self::Proxy => f.write_str("the proxy"),
            Self::Upfault => f.write_str("upfault itself"),
            Self::Unreported => f.write_str("none"),
        }
    }
}

/// One piece of evidence for the source of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Evidence {
    /// The kind of token that was found, such as `message` or `request id`, or a sentence.
    pub found: String,
    /// The place of the token: `error.message`, `header x-request-id`. Null if `found` is a sentence.
    pub place: Option<String>,
}

impl Evidence {
    pub(super) fn sentence(text: &str) -> Self {
        Self { found: text.to_owned(), place: None }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "its {} in {place}", self.found),
            None => f.write_str(&self.found),
        }
    }
}

/// One detail that an upstream sent, and its fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct TracedDetail {
    /// `message`, `type`, `code`, `param`, or the name of a header; for a leak, what leaked.
    pub detail: String,
    /// The first 200 characters of the value that the upstream sent; empty for a leak.
    pub sent: String,
    /// Its fate.
    pub fate: DetailFate,
}

/// The fate of one detail on its way through the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DetailFate {
    /// The response contains it in the same member or header, with the same value.
    Kept,
    /// The response contains the same value in another place.
    Moved {
        /// The new place: `error.metadata.raw`, `header llm_provider-retry-after`.
        to: String,
    },
    /// The same place contains another value.
    Mapped {
        /// The other value.
        to: String,
    },
    /// It appears only inside the text of the message.
    Prose,
    /// The response does not contain it.
    Lost,
    /// It reached the caller although it must not.
    Leaked {
        /// The place in the response.
        at: String,
    },
}

impl fmt::Display for TracedDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { detail, sent, fate } = self;
        match fate {
            DetailFate::Kept => write!(f, "{detail} kept"),
            DetailFate::Moved { to } => write!(f, "{detail} moved to {to}"),
            DetailFate::Mapped { to } if detail == "message" => write!(f, "{detail} replaced by {to:?}"),
            DetailFate::Mapped { to } => write!(f, "{detail} {sent:?} became {to:?}"),
            DetailFate::Prose if detail == "message" => write!(f, "{detail} inside a longer message"),
            DetailFate::Prose => write!(f, "{detail} {sent:?} only inside the message"),
            DetailFate::Lost => write!(f, "{detail} lost"),
            DetailFate::Leaked { at } => write!(f, "{detail} LEAKED in {at}"),
        }
    }
}
