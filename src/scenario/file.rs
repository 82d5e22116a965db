//! The serde types of a scenario file. They keep the byte range of each value for error messages.

use indexmap::IndexMap;
use jiff::civil::Date;
#[cfg(test)]
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    account::AccountFile,
    chunk::ReplyChunk,
    expect::Expect,
    fault::Fault,
    known::KnownFile,
    located::Located,
    model::{Step, SuccessReply},
    proxy_settings::ProxySettings,
    words::{Api, ErrorName, Level, Provider, Transport},
};

/// Deployments by name, each with its turns; callers address the first.
pub(super) type DeploymentsFile = Located<IndexMap<Located<String>, Located<Vec<Located<TurnFile>>>>>;

/// A failure scenario: what the upstream does, how the proxy is configured, and what the caller must get.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, schemars(rename = "Scenario"))]
pub(crate) struct ScenarioFile {
    /// One line that states what must hold. Required.
    pub title: Located<String>,
    /// The reason why it matters to a caller. Required.
    pub why: Located<String>,
    /// The strongest level that a finding in this scenario can have. Default: `required`.
    #[serde(default = "required")]
    pub level: Level,
    /// Words to filter scenarios by. Default: none.
    #[serde(default)]
    pub tags: Vec<Located<String>>,
    /// Sources: RFC sections, issues, provider documentation. Default: none.
    #[serde(default)]
    pub references: Vec<String>,
    /// The providers, APIs and stream modes to test; each combination is one case. Default: one case with the
    /// default of each axis.
    #[serde(default)]
    pub matrix: MatrixFile,
    /// The turns of a single deployment named `primary`, one for each attempt; the last turn repeats. Exactly
    /// one of `upstream` and `deployments` is required.
    pub upstream: Option<Located<Vec<Located<TurnFile>>>>,
    /// Several deployments by name, each with its turns; callers address the first. Exactly one of `upstream`
    /// and `deployments` is required.
    pub deployments: Option<DeploymentsFile>,
    /// The transport of the upstreams. Default: the one that their faults need, otherwise `plain`.
    pub transport: Option<Located<Transport>>,
    /// The provider account that the API keys belong to. Default: an account without limits and checks.
    pub account: Option<Located<AccountFile>>,
    /// The number by which every time of the file is divided when it runs, 2 to 100: with 16, a wait of 40 s takes 2.5 s,
    /// and the proxy's timeout of 60 s is 3.75 s. Default: times are as written.
    pub speedup: Option<Located<u32>>,
    /// The settings of the proxy. Default: a timeout of 10 s, no retries, no fallback.
    #[serde(default = "default_settings")]
    pub proxy: Located<ProxySettings>,
    /// The caller's requests, in order. Default: one standard request.
    pub steps: Option<Located<Vec<Located<Step>>>>,
    /// Expectations in addition to the contract's rules. Default: none.
    #[serde(default = "no_expectation")]
    pub expect: Located<Expect>,
    /// Contract rules that do not apply to this scenario, each with the reason. Default: none.
    #[serde(default)]
    pub except: IndexMap<String, String>,
    /// The day on which real traffic was recorded as this scenario (`2026-11-30`). Default: it is not a recording.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub recorded: Option<Date>,
    /// Findings that an upstream issue explains, each for one proxy and a range of its versions. Without `cases`, the
    /// finding must occur in every case of this file. Default: none.
    #[serde(default)]
    pub known: Vec<Located<KnownFile>>,
}

fn required() -> Level {
    Level::Required
}

fn default_settings() -> Located<ProxySettings> {
    Located { value: ProxySettings::default(), range: 0..0 }
}

fn no_expectation() -> Located<Expect> {
    Located { value: Expect::default(), range: 0..0 }
}

impl<T: std::hash::Hash> std::hash::Hash for Located<T> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.value.hash(state);
    }
}

impl<T: Eq> Eq for Located<T> {}

/// The axes of a scenario's matrix.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, schemars(rename = "Matrix"))]
pub(crate) struct MatrixFile {
    /// The providers that the proxy calls. Default: for each API, the provider that defined it.
    pub provider: Option<Located<Vec<Provider>>>,
    /// The APIs that the caller calls. Default: `openai/chat`.
    pub api: Option<Located<Vec<Api>>>,
    /// Whether the caller requests a stream. Default: `false` only.
    pub stream: Option<Located<Vec<bool>>>,
}

/// What a deployment does on one attempt: exactly one of `reply`, `error` and `status`. All three may be left
/// out if `faults` is set.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, schemars(rename = "Turn"))]
pub(crate) struct TurnFile {
    /// A successful response of this kind.
    pub reply: Option<Located<SuccessReply>>,
    /// An error of the provider's catalogue, with the provider's own status, body and headers.
    pub error: Option<Located<ErrorName>>,
    /// A literal status, 200 to 599, with the `body` below.
    pub status: Option<Located<u16>>,
    /// The body of a literal `status`: a string is sent verbatim, any other value as JSON. Placeholders such as
    /// `{{canary.message}}` are filled in. Default: no body.
    #[cfg_attr(test, schemars(with = "Option<serde_json::Value>"))]
    pub body: Option<Located<serde_json::Value>>,
    /// Bodies of a literal `status`, by the provider's endpoint for which each is written, instead of `body`. At every
    /// other endpoint the mock sends the provider's own reply: a success, or the catalogue's error with this status;
    /// `null` says that this is intended. Default: `body` is sent at every endpoint.
    #[cfg_attr(test, schemars(with = "Option<IndexMap<Api, serde_json::Value>>"))]
    pub bodies: Option<Located<IndexMap<Api, serde_json::Value>>>,
    /// The body of a literal `status` in parts that are sent one after the other, instead of `body`: each is one chunk of
    /// a chunked reply. Default: `body` is sent at once, or event by event.
    pub chunks: Option<Located<Vec<Located<ReplyChunk>>>>,
    /// Headers that are added to the response or replace its own; `null` removes a header. Default: none.
    #[serde(default)]
    pub headers: IndexMap<Located<String>, Option<Located<String>>>,
    /// Faults that are applied to the response, in order. Default: none.
    #[serde(default)]
    pub faults: Vec<Located<Fault>>,
}
