//! The format of proxy.yaml.

use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use crate::{
    observation::Volatile,
    scenario::{Api, Provider, RequestMistake, Setting, Transport, duration},
};

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    pub(super) name: Spanned<String>,
    #[serde(default)]
    pub(super) summary: String,
    #[serde(default)]
    pub(super) homepage: String,
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) versions: IndexMap<String, serde_json::Map<String, serde_json::Value>>,
    pub(super) apis: IndexMap<Api, Vec<Provider>>,
    /// Providers, APIs and transports that the proxy does not serve although users might expect it, and mistakes of
    /// requests that it cannot notice, each with the reason.
    #[serde(default)]
    pub(super) lacks: IndexMap<UnservedFeature, String>,
    #[serde(default)]
    pub(super) settings: IndexMap<Setting, Width>,
    /// How often the proxy retries by itself, if a scenario cannot set it.
    pub(super) retries: Option<u32>,
    /// Settings that single versions do not support although others do, each with the reason.
    #[serde(default)]
    pub(super) without: IndexMap<String, IndexMap<Setting, String>>,
    #[serde(default)]
    pub(super) needs: IndexMap<String, String>,
    #[serde(default)]
    pub(super) install: Vec<Vec<Text>>,
    pub(super) install_help: Option<Text>,
    /// How to ask the package index about releases.
    pub(super) releases: Option<ReleasesDocument>,
    #[serde(default)]
    pub(super) files: IndexMap<String, Spanned<String>>,
    pub(super) launch: LaunchDocument,
    pub(super) ready: ReadyDocument,
    pub(super) auth: Option<CallerAuth>,
    #[serde(default)]
    pub(super) paths: IndexMap<Api, Text>,
    #[serde(default)]
    pub(super) request: RequestDocument,
    /// The routes that pass a request through to a provider unchanged, if the proxy has any.
    pub(super) pass_through: Option<PassThroughDocument>,
    /// Whether the proxy answers a request like an earlier one from a cache.
    #[serde(default)]
    pub(super) caches: bool,
    #[serde(default)]
    pub(super) volatile: Vec<Volatile>,
    /// Modes of the proxy that have a name.
    #[serde(default)]
    pub(super) variants: IndexMap<String, VariantDocument>,
    /// Parts of the configuration file that a user's own configuration does not replace, each with the reason: `a.b` is the
    /// member `b` of `a`.
    #[serde(default)]
    pub(super) keeps: IndexMap<String, String>,
    /// What a bug report says about the proxy.
    #[serde(default)]
    pub(super) repro: ReproDocument,
}

/// What `upfault repro` prints for someone who does not have the installation in upfault's cache.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReproDocument {
    /// The command that installs and starts the proxy. Empty: the commands of `install`, then that of `launch`.
    pub(super) command: Vec<Text>,
    /// Commands that print the versions of software that the installation consists of.
    pub(super) versions: IndexMap<String, Vec<Text>>,
}

/// A provider, an API or a transport that a proxy does not serve, or a mistake of a request that it cannot notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum UnservedFeature {
    Provider(Provider),
    Api(Api),
    Transport(Transport),
    Mistake(RequestMistake),
}

impl std::fmt::Display for UnservedFeature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Provider(provider) => provider.fmt(f),
            Self::Api(api) => api.fmt(f),
            Self::Transport(transport) => transport.fmt(f),
            Self::Mistake(mistake) => f.write_str(mistake.as_str()),
        }
    }
}

impl<'de> Deserialize<'de> for UnservedFeature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        // The names do not overlap: only APIs contain a slash, and no provider has the name of a transport or a mistake.
        let mistake = RequestMistake::CHECKED.into_iter().find(|mistake| mistake.as_str() == name);
        if let Some(mistake) = mistake {
            return Ok(Self::Mistake(mistake));
        }
        let named = match name.parse() {
            Ok(transport) => Ok(Self::Transport(transport)),
            Err(_) if name.contains('/') => name.parse().map(Self::Api),
            Err(_) => name.parse().map(Self::Provider),
        };
        named.map_err(serde::de::Error::custom)
    }
}

/// The scope of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Width {
    /// Each route can have its own.
    Route,
    /// One value for all routes of an instance.
    Instance,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LaunchDocument {
    pub(super) command: Spanned<Vec<Text>>,
    #[serde(default)]
    pub(super) env: IndexMap<String, Text>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadyDocument {
    pub(super) get: Text,
    #[serde(default = "a_minute", with = "duration")]
    pub(super) within: Duration,
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

/// How callers authenticate to the proxy.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CallerAuth {
    /// `authorization: Bearer …`
    Bearer(Text),
    /// Any headers.
    Headers(IndexMap<String, Text>),
}

/// How a request for a route differs from the API's own request.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RequestDocument {
    pub(super) headers: IndexMap<String, Text>,
    pub(super) path: Option<Text>,
    pub(super) body: serde_json::Map<String, serde_json::Value>,
}

/// How callers use routes that pass a request through to a provider unchanged.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PassThroughDocument {
    /// The path below the proxy's root. In it, `path` is what the provider's own SDK appends to its base URL.
    pub(super) path: Text,
    /// The APIs, and for each the providers, that these routes serve.
    pub(super) apis: IndexMap<Api, Vec<Provider>>,
}

/// The commands that ask the package index.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleasesDocument {
    /// Prints every release: a JSON array, a JSON object whose member `versions` is one, or one release per line.
    pub(super) list: Vec<Text>,
    /// Prints when this version was published: the first date in the form `2026-11-28` counts.
    #[serde(default)]
    pub(super) date: Vec<Text>,
    /// Exits with 0 if everything that this version requires can be installed. It installs nothing.
    #[serde(default)]
    pub(super) resolve: Vec<Text>,
}

impl ReleasesDocument {
    /// Returns every template.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.list.iter().chain(&self.date).chain(&self.resolve)
    }
}

/// What differs from a definition: a mode with a name, or a file in the same form.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct VariantDocument {
    /// What it changes, in one line.
    pub(super) summary: String,
    /// Additional environment variables of the proxy.
    pub(super) env: IndexMap<String, Text>,
    /// Additional arguments of the launch command.
    pub(super) arguments: Vec<Text>,
    /// Settings that are merged over the configuration file. Their texts are templates.
    pub(super) settings: serde_json::Map<String, serde_json::Value>,
    /// Additional programs that it needs, each with how to install it.
    pub(super) needs: IndexMap<String, String>,
    /// Commands after those that install the proxy.
    pub(super) install: Vec<Vec<Text>>,
    /// Programs that each instance of the proxy uses.
    pub(super) services: IndexMap<String, ServiceDocument>,
}

impl VariantDocument {
    /// Returns every template outside of `settings`.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        let own = self.env.values().chain(&self.arguments).chain(self.install.iter().flatten());
        own.chain(self.services.values().flat_map(ServiceDocument::texts))
    }
}

/// A program that each instance of a proxy uses.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceDocument {
    /// Commands that run before it starts, one after the other.
    #[serde(default)]
    pub(super) prepare: Vec<Vec<Text>>,
    /// The command that starts it.
    pub(super) command: Vec<Text>,
    /// Additional environment variables.
    #[serde(default)]
    pub(super) env: IndexMap<String, Text>,
    /// A command that exits with 0 if the service is ready.
    pub(super) ready: Vec<Text>,
    /// How long a start may take.
    #[serde(default = "half_a_minute", with = "duration")]
    pub(super) within: Duration,
}

fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

impl ServiceDocument {
    /// Returns every template.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        let commands = self.prepare.iter().flatten().chain(&self.command).chain(&self.ready);
        commands.chain(self.env.values())
    }
}

/// A template in proxy.yaml, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) source: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<String>::deserialize(deserializer).map(Self::from)
    }
}

impl From<Spanned<String>> for Text {
    fn from(spanned: Spanned<String>) -> Self {
        let place = spanned.referenced;
        Self {
            source: spanned.value,
            line: usize::try_from(place.line()).unwrap_or(0),
            column: usize::try_from(place.column()).unwrap_or(0),
        }
    }
}
