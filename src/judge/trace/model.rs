//! What is said about the origin of an error, as plain data.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::observation::StepName;

/// Where one error came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorOrigin {
    /// Which request of the case got it.
    pub step: StepName,
    /// Who made it.
    pub maker: ErrorSource,
    /// What shows that.
    pub evidence: Vec<Evidence>,
    /// What became of each thing that the upstream said about its failure: of the maker, or where
    /// no upstream made it, of the last one that failed.
    pub details: Vec<TracedDetail>,
}

/// Who made an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorSource {
    /// An upstream: what it planted in its reply stands in the answer.
    Upstream {
        /// Which deployment of the case.
        deployment: String,
        /// Which attempt at it, from 1.
        n: u32,
    },
    /// The proxy: nothing that an upstream planted stands in the answer.
    Proxy,
    /// upfault itself, so that it says nothing about the proxy.
    Upfault,
    /// Nobody: an upstream failed, and the caller was not told of an error.
    Nobody,
}

impl fmt::Display for ErrorSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream { deployment, n } => write!(f, "upstream {deployment}#{n}"),
            Self::Proxy => f.write_str("the proxy"),
            Self::Upfault => f.write_str("upfault itself"),
            Self::Nobody => f.write_str("nobody"),
        }
    }
}

/// One thing that shows who made an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What was found: `message`, `request id`, or a sentence.
    pub found: String,
    /// Where: `error.message`, `header x-request-id`. Null where `found` is a sentence.
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

/// One thing that an upstream sent, and its fate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TracedDetail {
    /// `message`, `type`, `code`, `param`, or the name of a header; of a leak, what leaked.
    pub detail: String,
    /// As it was sent, at most 200 characters of it; empty for a leak.
    pub sent: String,
    /// What became of it.
    pub fate: DetailFate,
}

/// What became of one detail on its way through the proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DetailFate {
    /// The same member or header, with the same value.
    Kept,
    /// The same value in another place.
    Moved {
        /// `error.metadata.raw`, `header llm_provider-retry-after`.
        to: String,
    },
    /// The same place with another value.
    Mapped {
        /// The value that stands there.
        to: String,
    },
    /// Only inside the text of the message.
    Prose,
    /// Nowhere.
    Lost,
    /// It must not reach a caller, and did.
    Leaked {
        /// Where it stands.
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
