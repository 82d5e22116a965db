//! A scenario as the rest of the house sees it: validated, without source spans.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    account::Account,
    duration,
    expect::Expect,
    fault::Fault,
    leave::Leave,
    mistake::RequestMistake,
    words::{Api, ErrorName, Level, Provider, Transport},
};

/// One scenario file.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The path below the scenarios folder without its extension: `limits/rate-limit`.
    pub id: String,
    /// The file it was read from, as it is shown to people.
    pub file: String,
    /// One line that says what must hold.
    pub title: String,
    /// Why it matters to a caller.
    pub why: String,
    /// The strongest level that a finding in it can have.
    pub level: Level,
    /// Free words to filter by.
    pub tags: Vec<String>,
    /// RFC sections, issues, provider pages.
    pub references: Vec<String>,
    /// The combinations, each of which is one case.
    pub matrix: Vec<Combination>,
    /// What each deployment does, turn by turn; the first is the one that callers address.
    pub deployments: IndexMap<String, Vec<Turn>>,
    /// What the deployments are reached by.
    pub transport: Transport,
    /// The account behind the keys; without one everything is allowed.
    pub account: Option<Account>,
    /// How the proxy is set.
    pub proxy: ProxySettings,
    /// What the caller does, in order; never empty.
    pub steps: Vec<Step>,
    /// What must come out, beyond the contract.
    pub expect: Expect,
    /// Rules that are lifted here, with the reason.
    pub except: IndexMap<String, String>,
}

/// One point of a scenario's matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Combination {
    /// What the caller calls.
    pub api: Api,
    /// Who stands behind the proxy.
    pub provider: Provider,
    /// Whether the caller asks for a stream.
    pub stream: bool,
}

/// One scenario at one point of its matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// `limits/rate-limit[stream]`: stable, because values that are the default are left out.
    pub id: String,
    /// The scenario that it comes from.
    pub scenario: std::sync::Arc<Scenario>,
    /// The point of the matrix.
    pub combination: Combination,
}

/// What a deployment does on one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The reply before any fault.
    pub answer: TurnReply,
    /// Headers set on top of the reply's own; `None` takes one away.
    pub headers: IndexMap<String, Option<String>>,
    /// The edits, in order.
    pub faults: Vec<Fault>,
}

/// The reply of a turn, before its faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnReply {
    /// A successful reply in the provider's dialect.
    Reply(SuccessReply),
    /// An error of the provider's catalogue.
    Error(ErrorName),
    /// Status and body spelled out.
    Literal {
        /// 100–599.
        status: u16,
        /// A string is sent as it is, anything else as JSON. Placeholders such as
        /// `{{canary.message}}` are filled in.
        body: Option<serde_json::Value>,
    },
}

/// What a successful reply says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuccessReply {
    /// A short text; as a stream, five pieces of content.
    Ok,
    /// A text in so many pieces of content (1–10000).
    Chunks(u16),
    /// One tool call, its arguments in several pieces.
    ToolCall,
    /// A short text with characters of two, three and four bytes; as a stream, five pieces of content.
    NonAscii,
    /// A short text that the limit of tokens cut off, told as each provider tells it: `length`,
    /// `max_tokens`, an incomplete response. As a stream, five pieces of content.
    MaxTokens,
}

impl SuccessReply {
    /// The limit of tokens cut it off.
    pub const fn is_cut_by_limit(&self) -> bool {
        matches!(self, Self::MaxTokens)
    }
}

/// How the proxy is set for a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProxySettings {
    /// How long the proxy may wait for one attempt.
    #[serde(with = "duration")]
    #[schemars(with = "String")]
    pub timeout: Duration,
    /// How often it may try again.
    pub retries: u32,
    /// Deployments to try in order; the first is the one that callers address.
    pub fallback: Vec<String>,
    /// Whether, and for how long, a failing deployment is left alone. Off where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cooldown: Option<Cooldown>,
    /// Whether callers use a route that hands a request to the provider as it is, and the provider's
    /// answer back as it is. They then speak the provider's own dialect and name its own model.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub pass_through: bool,
    /// How long a stream may be silent before the proxy sends a ping, from the very beginning: the 200
    /// is then out before the provider has answered. Off where left out.
    #[serde(with = "duration::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub keep_alive: Option<Duration>,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            retries: 0,
            fallback: Vec::new(),
            cooldown: None,
            pass_through: false,
            keep_alive: None,
        }
    }
}

/// A failing deployment is left alone for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cooldown {
    /// After so many failures (at least 1).
    pub after: u32,
    /// For so long.
    #[serde(rename = "for", with = "duration")]
    #[schemars(with = "String")]
    pub lasting: Duration,
}

/// One request of the caller.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Members laid over the standard request body; `null` takes one away.
    pub body: serde_json::Map<String, serde_json::Value>,
    /// Headers sent on top of the standard ones.
    pub headers: IndexMap<String, String>,
    /// That the caller does not wait for the end; it does where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave: Option<Leave>,
    /// The deployment that the caller addresses; the first one where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// That it is sent at the same moment as the step before it; where left out, it is sent when that
    /// one is over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub together: bool,
    /// What is wrong with the request, so that the proxy itself has to refuse it; nothing where left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mistake: Option<RequestMistake>,
}
