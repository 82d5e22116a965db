//! The file as it is written: serde types that remember where each value stood.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::{
    account::AccountFile,
    expect::Expect,
    fault::Fault,
    model::{ProxySettings, Step, SuccessReply},
    words::{Api, ErrorName, Level, Provider, Transport},
};

/// A value and the byte range in the file that it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where its text begins and ends, in bytes.
    pub range: std::ops::Range<usize>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        let span = spanned.referenced.span();
        let start = span.byte_offset().unwrap_or(0) as usize;
        let len = span.byte_len().unwrap_or(0) as usize;
        Ok(Self { value: spanned.value, range: start..start + len })
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Deployments by name, each with its turns.
pub type DeploymentsFile = Located<IndexMap<Located<String>, Located<Vec<Located<TurnFile>>>>>;

/// A failure scenario: what the upstream does, how the proxy is set, what must come out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Scenario")]
pub struct ScenarioFile {
    /// One line that says what must hold.
    pub title: Located<String>,
    /// Why it matters to a caller.
    pub why: Located<String>,
    /// The strongest level that a finding in it can have.
    #[serde(default = "required")]
    pub level: Level,
    /// Free words to filter by.
    #[serde(default)]
    pub tags: Vec<Located<String>>,
    /// RFC sections, issues, provider pages.
    #[serde(default)]
    pub references: Vec<String>,
    /// Each combination is one case; a line that is left out has its default.
    #[serde(default)]
    pub matrix: MatrixFile,
    /// What the one upstream does, turn by turn; the last turn repeats.
    pub upstream: Option<Located<Vec<Located<TurnFile>>>>,
    /// Several upstreams by name, the one that callers address first.
    pub deployments: Option<DeploymentsFile>,
    /// What the upstreams are reached by; what their faults need where left out, else `plain`.
    pub transport: Option<Located<Transport>>,
    /// The account behind the keys, as the provider keeps it; without one everything is allowed.
    pub account: Option<Located<AccountFile>>,
    /// How the proxy is set.
    #[serde(default = "default_settings")]
    pub proxy: Located<ProxySettings>,
    /// What the caller does, one request after the other; one plain request where left out.
    pub steps: Option<Located<Vec<Located<Step>>>>,
    /// What must come out, beyond the contract.
    #[serde(default = "no_expectation")]
    pub expect: Located<Expect>,
    /// Rules that are lifted here, each with the reason.
    #[serde(default)]
    pub except: IndexMap<String, String>,
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
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Matrix")]
pub struct MatrixFile {
    /// Who stands behind the proxy; the API's own provider where left out.
    pub provider: Option<Located<Vec<Provider>>>,
    /// What the caller calls; `openai/chat` where left out.
    pub api: Option<Located<Vec<Api>>>,
    /// Whether the caller asks for a stream; `false` where left out.
    pub stream: Option<Located<Vec<bool>>>,
}

/// What a deployment does on its n-th attempt: exactly one of `reply`, `error` and `status`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Turn")]
pub struct TurnFile {
    /// A successful reply.
    pub reply: Option<Located<SuccessReply>>,
    /// An error of the provider's catalogue: its own status, body and headers.
    pub error: Option<Located<ErrorName>>,
    /// A literal status (200 to 599), with `body`.
    pub status: Option<Located<u16>>,
    /// A string is sent as it is, anything else as JSON; `{{canary.message}}` and its like are filled in.
    #[schemars(with = "Option<serde_json::Value>")]
    pub body: Option<Located<serde_json::Value>>,
    /// Headers set on top of the reply's own; `null` takes one away.
    #[serde(default)]
    pub headers: IndexMap<Located<String>, Option<Located<String>>>,
    /// Edits of how the reply reaches the wire, in order.
    #[serde(default)]
    pub faults: Vec<Located<Fault>>,
}
