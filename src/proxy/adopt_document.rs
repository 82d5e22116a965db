//! How upfault adopts a configuration that a user wrote for the proxy: the key `adopt` of proxy.yaml.

use indexmap::IndexMap;
#[cfg(test)]
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::pattern::Pattern;
use crate::scenario::{Api, Provider};

/// How a configuration that a user wrote for the proxy is read, and what of it a run changes. A path `a.b` is the member
/// `b` of `a`; a last member can end with `*`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AdoptDocument {
    /// Where the models are.
    pub(super) models: ModelsDocument,
    /// Providers by what comes before the slash in the name of a model. The first one is tested if a deployment
    /// serves any model.
    pub(super) providers: IndexMap<String, Provider>,
    /// Prefixes whose provider upfault does not simulate, each with the reason.
    #[serde(default)]
    pub(super) unknown_providers: IndexMap<String, String>,
    /// Providers of names without such a prefix.
    #[serde(default)]
    pub(super) unprefixed: Vec<UnprefixedDocument>,
    /// The APIs of a model: the first row that fits.
    pub(super) kinds: Vec<KindDocument>,
    /// A pattern for what matters of a model's name: models of one provider that differ only in the rest of their names
    /// are tested once.
    #[serde(default)]
    pub(super) families: Vec<Pattern>,
    /// A pattern for parameters of a deployment that the run replaces or removes: its address, its keys.
    pub(super) replaced: Pattern,
    /// A pattern for parameters of a deployment that make no difference for a failure of the provider.
    pub(super) alike: Pattern,
    /// Parameters with which a deployment cannot be tested, each with the reason.
    #[serde(default)]
    pub(super) untestable: IndexMap<String, String>,
    /// What comes before the name of an environment variable in a value.
    #[serde(default)]
    pub(super) variable: String,
    /// Where the settings are that decide what a case must find.
    pub(super) settings: AdoptedSettingsDocument,
    /// Parts of the configuration that the run does not use, each with the reason.
    #[serde(default)]
    pub(super) leaves: IndexMap<String, String>,
    /// Lists of which the run uses only some entries, by their paths.
    #[serde(default)]
    pub(super) selects: IndexMap<String, SelectDocument>,
    /// Values that the run changes.
    #[serde(default)]
    pub(super) changes: Vec<ChangeDocument>,
    /// Environment variables of the proxy, in addition to those of `launch`.
    #[serde(default)]
    pub(super) env: IndexMap<String, String>,
}

/// Where the models are in a configuration.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ModelsDocument {
    /// The path of the list of deployments.
    pub(super) list: String,
    /// The member of a deployment with the name that callers use.
    pub(super) name: String,
    /// The member with its parameters.
    pub(super) parameters: String,
    /// The parameter with the name of the provider's model.
    pub(super) model: String,
    /// The parameter that names the provider, instead of a prefix.
    pub(super) provider: Option<String>,
    /// The member with the kind of the model, as a path.
    pub(super) mode: Option<String>,
    /// What means any name.
    pub(super) any: Option<String>,
}

/// The provider of models whose names have no prefix.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct UnprefixedDocument {
    /// A pattern for the names of the models.
    pub(super) model: Pattern,
    /// Their provider.
    pub(super) provider: Provider,
}

/// The APIs of models of one kind.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct KindDocument {
    /// The kind, as the configuration calls it. Default: any.
    pub(super) mode: Option<String>,
    /// A pattern for the names of models whose kind the configuration does not state.
    pub(super) model: Option<Pattern>,
    /// The APIs.
    pub(super) apis: Vec<Api>,
}

/// Where the settings of a user are. In each list of paths, the first one that has a value counts.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AdoptedSettingsDocument {
    /// Paths of the timeout of an attempt, in seconds.
    pub(super) timeout: Vec<String>,
    /// Paths of the timeout of an attempt with a stream, in addition to those of `timeout`.
    #[serde(default)]
    pub(super) stream_timeout: Vec<String>,
    /// The timeout if the user set none, in seconds.
    pub(super) default_timeout: u32,
    /// Paths of the number of retries.
    #[serde(default)]
    pub(super) retries: Vec<String>,
    /// The number of retries if the user set none.
    #[serde(default)]
    pub(super) default_retries: u32,
    /// Paths of settings with which the number of retries depends on more.
    #[serde(default)]
    pub(super) retries_vary: Vec<String>,
    /// Paths of the interval of pings, in seconds.
    #[serde(default)]
    pub(super) keep_alive: Vec<String>,
    /// Paths of the length of a cooldown, in seconds.
    #[serde(default)]
    pub(super) cooldown: Vec<String>,
    /// The length of a cooldown if the user set none, in seconds. Default: without such a setting there is no cooldown.
    pub(super) default_cooldown: Option<u32>,
    /// Paths of lists of fallbacks: mappings with the name of a model and a list of other names.
    #[serde(default)]
    pub(super) fallbacks: Vec<String>,
    /// Paths of lists of the fallbacks of models that have none of their own.
    #[serde(default)]
    pub(super) default_fallbacks: Vec<String>,
    /// Settings that exclude cases: the name of what they need, by the path and its value.
    #[serde(default)]
    pub(super) excludes: Vec<ExclusionDocument>,
    /// A path whose value says that the proxy answers a request like an earlier one from a cache.
    pub(super) caches: Option<String>,
}

/// A setting that excludes cases.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ExclusionDocument {
    /// The path of the setting. Default: always.
    pub(super) path: Option<String>,
    /// Its value. Default: any.
    pub(super) value: Option<Value>,
    /// What cases need that are excluded, as scenarios call it: `tls`, `group`, `pass_through`, `cooldown`, `wrong_key`. No
    /// model has a cooldown if `cooldown` is excluded.
    pub(super) needs: String,
    /// The reason.
    pub(super) reason: String,
}

/// A list of which a run uses only some entries.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SelectDocument {
    /// The path of the text in an entry that decides. Default: the entry itself.
    pub(super) by: Option<String>,
    /// A pattern for entries that the run uses.
    pub(super) keep: Pattern,
    /// Why the run does not use the others.
    pub(super) reason: String,
}

/// A value that a run changes.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeDocument {
    /// The path of a value with which the change is needed.
    pub(super) when: String,
    /// The value.
    pub(super) is: Value,
    /// The path that changes.
    pub(super) path: String,
    /// Its new value.
    pub(super) value: Value,
    /// Values of the path that need no change.
    #[serde(default)]
    pub(super) unless: Vec<Value>,
    /// The reason.
    pub(super) reason: String,
}
