//! The format of proxy.yaml.

use std::time::Duration;

use indexmap::IndexMap;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};
use serde_saphyr::Spanned;

use super::{
    adopt_document::AdoptDocument,
    pattern::Pattern,
    text::{LaunchWord, Text},
    variant::VariantDocument,
};

use crate::{
    observation::Volatile,
    scenario::{
        Api, Provider, ProxyVersion, RequestMistake, Setting, StatusPattern, StatusSet, Transport,
        VersionRange, duration,
    },
};

/// A proxy definition, `proxy.yaml`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// The name of the proxy: letters, digits, `-`, `_` and `.`. Its snapshots are in a folder of this name.
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    /// A one-line description.
    #[serde(default)]
    pub(super) summary: String,
    /// The URL of its documentation.
    #[serde(default)]
    pub(super) homepage: String,
    /// The programming language that it is written in.
    #[serde(default)]
    pub(super) language: String,
    /// The default version. Default: none, if the proxy is a program that upfault does not install.
    pub(super) version: Option<String>,
    /// Values of `pins` in templates, by version.
    #[serde(default)]
    pub(super) versions: IndexMap<String, serde_json::Map<String, serde_json::Value>>,
    /// The APIs that callers can use, each with the providers that the proxy can use as its upstream.
    #[serde(default)]
    pub(super) apis: IndexMap<Api, Vec<Provider>>,
    /// Which upstreams the proxy has. Default: each route has its own.
    #[serde(default)]
    pub(super) upstream: UpstreamChoice,
    /// What users might expect but the proxy does not serve or cannot notice, each with the reason: the names of providers,
    /// APIs and transports; `wrong_key`, `unknown_model`; `unresolvable_name`, `ip_certificate`; `several_choices`,
    /// `attempt_timeout`.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "IndexMap<String, String>"))]
    pub(super) lacks: IndexMap<UnservedFeature, String>,
    /// The settings that the proxy has, each with what decides its value. Scenarios that need another one are skipped.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "IndexMap<Setting, SettingChoice>"))]
    pub(super) settings: IndexMap<Setting, Spanned<SettingChoice>>,
    /// Settings that some versions do not have although others do, each with the reason. The key is a version or a range:
    /// `1.90.7`, `<1.84`.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "IndexMap<String, IndexMap<Setting, String>>"))]
    pub(super) without: IndexMap<VersionRange, IndexMap<Setting, String>>,
    /// The programs that have to be on the PATH, each with how to install it.
    #[serde(default)]
    pub(super) needs: IndexMap<String, String>,
    /// The commands that install a version into the folder `dir`, in order. Default: none.
    #[serde(default)]
    pub(super) install: Vec<Vec<Text>>,
    /// What a user can do if an install command fails.
    pub(super) install_help: Option<Text>,
    /// How to ask the package index about releases.
    pub(super) releases: Option<ReleasesDocument>,
    /// The template files that are rendered for each instance, by the variable that contains the path of the result.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "IndexMap<String, String>"))]
    pub(super) files: IndexMap<String, Spanned<String>>,
    /// How an instance is started.
    pub(super) launch: LaunchDocument,
    /// How upfault finds out that an instance is ready.
    pub(super) ready: ReadyDocument,
    /// How callers authenticate. Default: the proxy has no keys for callers.
    pub(super) auth: Option<CallerAuth>,
    /// The paths of APIs that differ from the API's own path.
    #[serde(default)]
    pub(super) paths: IndexMap<Api, Text>,
    /// How a request differs from the API's own request.
    #[serde(default)]
    pub(super) request: RequestDocument,
    /// The routes that pass a request through to a provider unchanged. Default: the proxy has none.
    pub(super) pass_through: Option<PassThroughDocument>,
    /// Whether the proxy answers a request like an earlier one from a cache.
    #[serde(default)]
    pub(super) caches: bool,
    /// The parts of the proxy's own messages that vary from run to run.
    #[serde(default)]
    pub(super) volatile: Vec<Volatile>,
    /// Modes of the proxy that have a name.
    #[serde(default)]
    pub(super) variants: IndexMap<String, VariantDocument>,
    /// Parts of the configuration file that a user's own configuration does not replace, each with the reason: `a.b` is the
    /// member `b` of `a`.
    #[serde(default)]
    pub(super) keeps: IndexMap<String, String>,
    /// How the proxy runs in a container, for users who start it themselves.
    pub(super) container: Option<ContainerDocument>,
    /// How a configuration that a user wrote for the proxy is adopted. Default: it cannot be.
    pub(super) adopt: Option<AdoptDocument>,
    /// What a bug report says about the proxy.
    #[serde(default)]
    pub(super) repro: ReproDocument,
}

/// How the proxy runs in a container.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ContainerDocument {
    /// The image.
    pub(super) image: Text,
    /// The command in the container. Default: that of `launch`.
    #[serde(default)]
    pub(super) command: Vec<Text>,
    /// The template file of values for the Helm chart of the proxy.
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub(super) helm: Option<Spanned<String>>,
}

/// What `upfault repro` prints for someone who does not have the installation in upfault's cache.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReproDocument {
    /// The command that installs and starts the proxy. Empty: the commands of `install`, then that of `launch`.
    pub(super) command: Vec<Text>,
    /// Commands that print the versions of software that the installation consists of.
    pub(super) versions: IndexMap<String, Vec<Text>>,
}

/// A provider, an API, a transport, an upstream or a request that a proxy does not serve, a mistake of a request that it
/// cannot notice, or a timeout that it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum UnservedFeature {
    Provider(Provider),
    Api(Api),
    Transport(Transport),
    Mistake(RequestMistake),
    /// An upstream whose name cannot be resolved.
    UnresolvableName,
    /// An upstream whose certificate is for an IP address.
    IpCertificate,
    /// A request for more than one choice.
    SeveralChoices,
    /// A timeout that limits one attempt of a call that is retried.
    AttemptTimeout,
}

/// The names of what does not have the name of a provider, an API, a transport or a mistake, in `lacks`.
const NAMED_FEATURES: [(&str, UnservedFeature); 4] = [
    ("attempt_timeout", UnservedFeature::AttemptTimeout),
    ("unresolvable_name", UnservedFeature::UnresolvableName),
    ("ip_certificate", UnservedFeature::IpCertificate),
    ("several_choices", UnservedFeature::SeveralChoices),
];

impl std::fmt::Display for UnservedFeature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Provider(provider) => provider.fmt(f),
            Self::Api(api) => api.fmt(f),
            Self::Transport(transport) => transport.fmt(f),
            Self::Mistake(mistake) => f.write_str(mistake.as_str()),
            Self::UnresolvableName | Self::IpCertificate | Self::SeveralChoices | Self::AttemptTimeout => {
                let named = NAMED_FEATURES.iter().find(|(_, feature)| feature == self);
                f.write_str(named.map_or("", |(name, _)| name))
            }
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
        if let Some((_, feature)) = NAMED_FEATURES.into_iter().find(|(known, _)| *known == name) {
            return Ok(feature);
        }
        let named = match name.parse() {
            Ok(transport) => Ok(Self::Transport(transport)),
            Err(_) if name.contains('/') => name.parse().map(Self::Api),
            Err(_) => name.parse().map(Self::Provider),
        };
        named.map_err(D::Error::custom)
    }
}

/// Which upstreams a proxy has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum UpstreamChoice {
    /// Each route has its own, at its base URL.
    #[default]
    EachRoute,
    /// All routes have the same one, at `upstream_url`. A request belongs to the route whose key or model it contains.
    Shared,
}

/// What decides the value of a setting.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum SettingChoice {
    /// A scenario, for each route.
    Route,
    /// A scenario, for all routes of an instance.
    Instance,
    /// The proxy itself: it always has this value.
    Fixed(serde_json::Value),
}

/// The scope of a setting that scenarios can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Each route can have its own.
    Route,
    /// One value for all routes of an instance.
    Instance,
}

/// How an instance is started.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct LaunchDocument {
    /// The command. A word that renders to nothing is left out.
    #[cfg_attr(test, schemars(with = "Vec<LaunchWord>"))]
    pub(super) command: Spanned<Vec<LaunchWord>>,
    /// Environment variables. The proxy inherits only `PATH` and `HOME`.
    #[serde(default)]
    pub(super) env: IndexMap<String, Text>,
    /// Names of ports that the proxy listens on in addition to `port`. Templates have a free port for each.
    #[serde(default)]
    pub(super) ports: Vec<String>,
    /// What is repeated for each route.
    #[serde(default)]
    pub(super) each_route: EachRouteDocument,
}

/// What a start needs for each route.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(super) struct EachRouteDocument {
    /// Environment variables: a template of the name, and one of the value.
    pub(super) env: IndexMap<String, Text>,
    /// Files: a template of the path below the folder of the instance, and the template file.
    #[cfg_attr(test, schemars(with = "IndexMap<String, String>"))]
    pub(super) files: IndexMap<String, Spanned<String>>,
}

/// How upfault finds out that an instance is ready. All conditions must hold.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ReadyDocument {
    /// The path of a GET request.
    pub(super) get: Option<Text>,
    /// The statuses of a response that mean that the proxy is ready.
    #[serde(default = "any_success")]
    pub(super) status: StatusSet,
    /// Patterns for headers that the response must have.
    #[serde(default)]
    pub(super) headers: IndexMap<String, Pattern>,
    /// A pattern for the body of the response.
    pub(super) body: Option<Pattern>,
    /// Whether it is enough that the port accepts a connection.
    #[serde(default)]
    pub(super) tcp: bool,
    /// A pattern for a line of the log. If it has a group `port`, that is the port that the proxy listens on.
    pub(super) log: Option<Pattern>,
    /// How long the start may take.
    #[serde(default = "a_minute", with = "duration")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub(super) within: Duration,
}

fn any_success() -> StatusSet {
    StatusSet(vec![StatusPattern::Class(2)])
}

fn a_minute() -> Duration {
    Duration::from_secs(60)
}

/// How callers authenticate to the proxy.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum CallerAuth {
    /// `authorization: Bearer …`
    Bearer(Text),
    /// Any headers.
    Headers(IndexMap<String, Text>),
}

/// How a request for a route differs from the API's own request.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(super) struct RequestDocument {
    /// Headers in addition to those of the API.
    pub(super) headers: IndexMap<String, Text>,
    /// The path. The variable `path` is the path of the API, or the one in `paths`.
    pub(super) path: Option<Text>,
    /// Members of the body. Every string in it is a template.
    pub(super) body: serde_json::Map<String, serde_json::Value>,
}

/// How callers use routes that pass a request through to a provider unchanged.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct PassThroughDocument {
    /// The path below the proxy's root. In it, `path` is what the provider's own SDK appends to its base URL.
    pub(super) path: Text,
    /// The APIs, and for each the providers, that these routes serve.
    pub(super) apis: IndexMap<Api, Vec<Provider>>,
}

/// The commands that ask the package index.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
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

impl Document {
    /// Why a version does not have a setting that others have; `None` if it has it.
    pub(super) fn why_without(&self, setting: Setting, version: &str) -> Option<&str> {
        let version = ProxyVersion::parse(version)?;
        let mut reasons =
            self.without.iter().filter(|(range, _)| range.contains(&version)).map(|(_, one)| one);
        reasons.find_map(|reasons| reasons.get(&setting)).map(String::as_str)
    }
}

impl ReleasesDocument {
    /// Returns every template.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        self.list.iter().chain(&self.date).chain(&self.resolve)
    }
}
