//! The validated scenario, without source spans, as the rest of the crate uses it.

use std::{sync::Arc, time::Duration};

use indexmap::IndexMap;
use jiff::civil::Date;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    account::Account,
    chunk::ReplyChunk,
    duration,
    expect::Expect,
    fault::{Fault, MalformedBody},
    known::KnownEntry,
    leave::Leave,
    mistake::RequestMistake,
    own_model::OwnModel,
    proxy_settings::ProxySettings,
    words::{Api, ErrorName, Level, Provider, Transport},
};

/// One scenario file.
///
/// # Examples
///
/// ```
/// let library = upfault::Library::bundled();
/// let scenario = library.scenarios.iter().find(|scenario| scenario.id == "limits/rate-limit").unwrap();
/// assert!(!scenario.title.is_empty() && !scenario.why.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Scenario {
    /// The path below the scenarios folder without its extension: `limits/rate-limit`.
    pub id: String,
    /// The file that it was read from, for messages.
    pub file: String,
    /// The 1-based line of its title in the file.
    pub line: usize,
    /// One line that states what must hold.
    pub title: String,
    /// The reason why it matters to a caller.
    pub why: String,
    /// The strongest level that a finding in this scenario can have.
    pub level: Level,
    /// Words to filter scenarios by.
    pub tags: Vec<String>,
    /// Sources: RFC sections, issues, provider documentation.
    pub references: Vec<String>,
    /// The combinations of the matrix; each is one case.
    pub matrix: Vec<Combination>,
    /// The turns of each deployment; callers address the first deployment.
    pub deployments: Arc<IndexMap<String, Vec<Turn>>>,
    /// The transport of the deployments.
    pub transport: Transport,
    /// The provider account that the API keys belong to; without one every request is allowed.
    pub account: Option<Account>,
    /// The number by which the times of the file were divided. All times of the scenario are the result.
    pub speedup: Option<u32>,
    /// The settings of the proxy.
    pub proxy: ProxySettings,
    /// The caller's requests, in order; never empty.
    pub steps: Vec<Step>,
    /// Expectations in addition to the contract's rules.
    pub expect: Expect,
    /// Contract rules that do not apply to this scenario, each with the reason.
    pub except: IndexMap<String, String>,
    /// The day on which real traffic was recorded as this scenario; `None` if it is not a recording.
    pub recorded: Option<Date>,
    /// Findings that an upstream issue explains.
    pub known: Vec<KnownEntry>,
}

/// One combination of a scenario's matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Combination {
    /// The API that the caller calls.
    pub api: Api,
    /// The provider that the proxy calls.
    pub provider: Provider,
    /// Whether the caller requests a stream.
    pub stream: bool,
}

/// One scenario with one combination of its matrix.
///
/// # Examples
///
/// ```
/// let library = upfault::Library::bundled();
/// let cases = library.cases();
/// assert!(cases.iter().any(|case| case.id == "limits/rate-limit[stream]"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The id, such as `limits/rate-limit[stream]`; stable, because default values are left out.
    pub id: String,
    /// The scenario that it belongs to.
    pub scenario: Arc<Scenario>,
    /// The combination of the matrix.
    pub combination: Combination,
    /// The model of a user's own configuration with which it runs; `None` for a model that upfault configures.
    pub own: Option<Arc<OwnModel>>,
}

/// What a deployment does on one attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    /// The response before any fault.
    pub answer: TurnReply,
    /// Headers that are added to the response or replace its own; `None` removes a header.
    pub headers: IndexMap<String, Option<String>>,
    /// The faults, in the order in which they are applied.
    pub faults: Vec<Fault>,
}

/// The response of a turn, before its faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnReply {
    /// A successful response in the provider's dialect.
    Reply(SuccessReply),
    /// An error of the provider's catalogue.
    Error(ErrorName),
    /// A literal status and body.
    Literal {
        /// 100–599.
        status: u16,
        /// A string is sent verbatim, any other value as JSON. Placeholders such as `{{canary.message}}` are
        /// filled in.
        body: Option<serde_json::Value>,
        /// Bodies that are each written for one endpoint, instead of `body`. At every other endpoint, and at one with
        /// `null`, the provider's own reply is sent.
        #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
        bodies: IndexMap<Api, serde_json::Value>,
        /// The body in parts, instead of `body`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        chunks: Vec<ReplyChunk>,
    },
}

impl Scenario {
    /// Whether a provider of the scenario cannot have the same address as those of other cases.
    pub(crate) fn needs_own_address(&self) -> bool {
        self.transport != Transport::Plain || self.deployments.values().flatten().any(Turn::needs_own_address)
    }
}

impl Turn {
    /// Whether its deployment cannot have the same address as those of other cases.
    pub(super) fn needs_own_address(&self) -> bool {
        self.is_large() || self.faults.iter().any(Fault::needs_own_address)
    }

    /// Whether the reply is so large that clients stop reading for a while because their buffers are full.
    pub(crate) fn is_large(&self) -> bool {
        const BUFFERED: u32 = 256 * 1024;
        let reply = match &self.answer {
            TurnReply::Reply(SuccessReply::LargeText(bytes) | SuccessReply::LargeToolCall(bytes)) => *bytes,
            TurnReply::Literal { chunks, .. } => {
                let bytes = chunks.iter().map(|chunk| chunk.bytes().len()).sum::<usize>();
                u32::try_from(bytes).unwrap_or(u32::MAX)
            }
            _ => 0,
        };
        let added = self.faults.iter().map(|fault| match fault {
            Fault::Malform(MalformedBody::VeryLarge(bytes)) => *bytes,
            _ => 0,
        });
        added.chain([reply]).any(|bytes| bytes > BUFFERED)
    }
}

impl TurnReply {
    /// Whether the scenario says what is sent at this endpoint. It does not if its literal bodies are written for other
    /// endpoints.
    pub(crate) fn is_written_for(&self, endpoint: Api) -> bool {
        match self {
            Self::Literal { bodies, .. } => {
                bodies.is_empty() || bodies.get(&endpoint).is_some_and(|body| !body.is_null())
            }
            Self::Reply(_) | Self::Error(_) => true,
        }
    }

    /// What people read about a reply at an endpoint for which the scenario says nothing; `None` if it does.
    pub(crate) fn own_reply_note(&self, endpoint: Api) -> Option<String> {
        let note = || format!("the scenario has no body for {endpoint}: this is the provider's own reply");
        (!self.is_written_for(endpoint)).then(note)
    }
}

/// The content of a successful response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SuccessReply {
    /// A short text; as a stream, five pieces of content.
    Ok,
    /// A text in this many pieces of content, 1 to 10,000.
    Chunks(u16),
    /// One tool call, its arguments in several pieces.
    ToolCall,
    /// A short text with characters of two, three and four bytes; as a stream, five pieces of content.
    NonAscii,
    /// A short text that the token limit cut off, reported in each provider's own way: `length`, `max_tokens`,
    /// an incomplete response. As a stream, five pieces of content.
    MaxTokens,
    /// A short text that a filter cut off, reported in each provider's own way: `content_filter`, `refusal`,
    /// `SAFETY`. As a stream, five pieces of content. Cohere and Ollama have no such reason: there it ends like `ok`.
    ContentFilter,
    /// Two calls of different tools.
    TwoToolCalls,
    /// A short text, then one tool call.
    TextAndToolCall,
    /// One tool call that the token limit cut off in the middle of its arguments. In dialects in which arguments are
    /// objects, only complete members are left, or (Gemini, Ollama) no call at all.
    CutToolCall,
    /// A text of this many bytes and a little more, 1 to 4,194,304; as a stream, in one event.
    LargeText(u32),
    /// One tool call with arguments of this many bytes and a little more, 1 to 4,194,304; as a stream, in one event.
    LargeToolCall(u32),
}

/// Why a reply ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyEnd {
    /// It is complete.
    Whole,
    /// The token limit cut it off.
    Limit,
    /// A filter cut it off.
    Filter,
}

impl SuccessReply {
    /// All replies, with one number of chunks.
    #[cfg(test)]
    pub(crate) const EXAMPLES: [Self; 11] = [
        Self::Ok,
        Self::Chunks(3),
        Self::ToolCall,
        Self::NonAscii,
        Self::MaxTokens,
        Self::ContentFilter,
        Self::TwoToolCalls,
        Self::TextAndToolCall,
        Self::CutToolCall,
        Self::LargeText(3000),
        Self::LargeToolCall(3000),
    ];

    /// Whether it contains text.
    pub(crate) const fn has_text(&self) -> bool {
        match self {
            Self::Ok
            | Self::Chunks(_)
            | Self::NonAscii
            | Self::MaxTokens
            | Self::ContentFilter
            | Self::TextAndToolCall
            | Self::LargeText(_) => true,
            Self::ToolCall | Self::TwoToolCalls | Self::CutToolCall | Self::LargeToolCall(_) => false,
        }
    }

    /// Whether it contains a tool call.
    pub(crate) const fn has_tool_call(&self) -> bool {
        !self.has_text() || matches!(self, Self::TextAndToolCall)
    }

    /// Why the reply ends.
    pub(crate) const fn end(&self) -> ReplyEnd {
        match self {
            Self::MaxTokens | Self::CutToolCall => ReplyEnd::Limit,
            Self::ContentFilter => ReplyEnd::Filter,
            _ => ReplyEnd::Whole,
        }
    }
}

/// One request of the caller.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Members that are added to the standard request body or replace its own; `null` removes a member. Default:
    /// none.
    pub body: serde_json::Map<String, serde_json::Value>,
    /// Headers that are sent in addition to the standard ones. Default: none.
    pub headers: IndexMap<String, String>,
    /// When and how the caller disconnects before the response is complete. Default: the caller waits for the
    /// end of the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leave: Option<Leave>,
    /// The deployment that the caller addresses. Default: the first deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Whether the request is sent concurrently with the previous step. Default: `false`, it is sent after the
    /// previous step is complete.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub together: bool,
    /// How long the caller waits before it sends the request, as a duration (`3s`). Default: it does not wait.
    #[serde(with = "duration::option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub pause: Option<Duration>,
    /// A defect of the request that the proxy itself has to refuse. Default: a valid request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mistake: Option<RequestMistake>,
}
