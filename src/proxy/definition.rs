//! A loaded and checked proxy definition.

use std::{path::Path, sync::Arc};

use indexmap::IndexMap;

use super::{
    document::{Document, UnservedFeature, Width},
    error::ProxyError,
    fixed::FixedSettings,
    mode::ProxyMode,
    route::InstanceSettings,
    source::DefinitionSource,
    text::Text,
};
use crate::{
    observation::Volatile,
    scenario::{
        Api, Combination, Provider, ProxySettingRow, ProxySettings, RequestMistake, Setting, Step, Transport,
    },
};

/// The version of a definition that does not specify one.
pub(crate) const LOCAL_VERSION: &str = "local";

/// How a proxy is installed, configured, started and addressed.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// The selected version: the one after `@`, or the definition's default.
    pub version: String,
    /// A one-line description.
    pub summary: String,
    /// The URL of its documentation.
    pub homepage: String,
    /// The programming language that it is written in.
    pub language: String,
    /// The APIs that callers can use, each with the providers that the proxy can use as its upstream.
    pub apis: IndexMap<Api, Vec<Provider>>,
    /// The settings that a scenario can change, each with its scope.
    pub settings: IndexMap<Setting, Width>,
    /// The settings that the proxy has but a scenario cannot change.
    pub(super) fixed: FixedSettings,
    /// The programs that it needs, each with how to install it.
    pub needs: IndexMap<String, String>,
    /// Template values for this version only.
    pub(super) pins: serde_json::Map<String, serde_json::Value>,
    /// The entries of `files`, each with the text of its template.
    pub(super) templates: Vec<FileTemplate>,
    /// The entries of `launch.each_route.files`.
    pub(super) route_templates: Vec<RouteFileTemplate>,
    /// The template of `container.helm`.
    pub(super) helm: Option<HelmTemplate>,
    pub(super) document: Arc<Document>,
    pub(super) source: DefinitionSource,
    /// What differs from the definition.
    pub(super) mode: ProxyMode,
    /// The path of the proxy.yaml that extends it, as messages show it.
    pub(super) extension: Option<String>,
    /// A date by which the release and its requirements were published, as `2026-11-28`, if it was asked for.
    pub(super) published_by: Option<String>,
    /// Whether requirements of the release are replaced, because the package index lacks some.
    pub(super) fallback: bool,
}

/// A file that is rendered for each instance.
#[derive(Debug, Clone)]
pub(super) struct FileTemplate {
    /// The template variable that contains the path of the rendered file.
    pub(super) variable: String,
    /// The path of the template, as messages show it.
    pub(super) shown: String,
    /// The name of the rendered file.
    pub(super) target: String,
    pub(super) text: String,
}

/// A file that is rendered for each route.
#[derive(Debug, Clone)]
pub(super) struct RouteFileTemplate {
    /// The template of the path below the folder of the instance.
    pub(super) target: Text,
    /// The path of the template, as messages show it.
    pub(super) shown: String,
    pub(super) text: String,
}

/// The values for a Helm chart.
#[derive(Debug, Clone)]
pub(super) struct HelmTemplate {
    /// The path of the template, as messages show it.
    pub(super) shown: String,
    pub(super) text: String,
}

impl Definition {
    /// Returns the version, or `None` for a definition without versions.
    pub fn release(&self) -> Option<&str> {
        (self.version != LOCAL_VERSION).then_some(self.version.as_str())
    }

    /// Returns `litellm 1.102.4`, or only the name for a definition without versions.
    pub fn title(&self) -> String {
        if self.version == LOCAL_VERSION {
            self.name.clone()
        } else {
            format!("{} {}", self.name, self.version)
        }
    }

    /// Returns the mode, for reports; `None` for the definition's own.
    pub fn mode(&self) -> Option<String> {
        self.mode.describe()
    }

    /// The proxy in the mode that these words describe, in addition to its own. Paths in them are relative to `base`.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Invalid`] if a word is not valid, or the mode changes settings but the proxy has no YAML file for them.
    pub(crate) fn in_mode(self, words: &[String], base: &Path) -> Result<Self, ProxyError> {
        let mode = ProxyMode::read(words, base, &self.document)?;
        self.with_mode(mode)
    }

    pub(super) fn with_mode(mut self, mode: ProxyMode) -> Result<Self, ProxyError> {
        if !mode.overlays.is_empty() && self.configuration_file().is_none() {
            return Err(ProxyError::Invalid(format!(
                "{} has no YAML configuration file that settings could be merged over\nhelp: use environment variables \
                 (`{},NAME=VALUE`)",
                self.name, self.name
            )));
        }
        self.needs.extend(mode.needs.clone());
        self.mode.extend(mode);
        Ok(self)
    }

    /// What of its mode has no effect, with the reasons.
    pub(crate) fn notes(&self) -> &[String] {
        &self.mode.notes
    }

    /// The modes that have a name, each with what it changes.
    pub fn variants(&self) -> impl Iterator<Item = (&str, &str)> {
        self.document.variants.iter().map(|(name, variant)| (name.as_str(), variant.summary.as_str()))
    }

    /// The name of the file over which overlays are merged: the first YAML or JSON file.
    pub(super) fn configuration_file(&self) -> Option<&str> {
        let is_yaml = |name: &&str| [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end));
        self.templates.iter().map(|file| file.target.as_str()).find(is_yaml)
    }

    /// Returns whether the proxy answers a request like an earlier one from a cache.
    pub fn caches(&self) -> bool {
        self.document.caches || self.mode.caches
    }

    /// Returns the patterns of text in the proxy's responses that varies between runs.
    pub fn volatile(&self) -> &[Volatile] {
        &self.document.volatile
    }

    /// Returns whether it is inside the binary, unchanged, and not a folder of a project.
    pub fn is_bundled(&self) -> bool {
        matches!(self.source, DefinitionSource::Bundled(_)) && self.mode.is_plain()
    }

    /// Returns the path of its proxy.yaml, as messages show it.
    pub fn file(&self) -> String {
        self.extension.clone().unwrap_or_else(|| self.source.display(super::source::FILE))
    }

    /// Returns the providers, APIs and transports that users might expect but the proxy does not serve, and the mistakes
    /// of requests that it cannot notice, each with the reason.
    pub fn unserved(&self) -> impl Iterator<Item = (String, &str)> {
        self.document.lacks.iter().map(|(lacked, reason)| (lacked.to_string(), reason.as_str()))
    }

    /// Returns the APIs that the proxy passes through to providers unchanged.
    pub fn passed_through(&self) -> impl Iterator<Item = (&Api, &Vec<Provider>)> {
        self.document.pass_through.iter().flat_map(|passing| &passing.apis)
    }

    /// Returns why the proxy cannot run a case with this combination, these settings, this transport to its upstreams and
    /// these steps, or `None` if it can.
    pub(super) fn lacks(
        &self,
        combination: &Combination,
        settings: &ProxySettings,
        transport: Transport,
        steps: &[Step],
    ) -> Option<String> {
        let name = &self.name;
        let because =
            |lacked| self.document.lacks.get(&lacked).map(|reason| format!(": {reason}")).unwrap_or_default();
        if settings.pass_through {
            let Some(passing) = &self.document.pass_through else {
                return Some(format!("{name} has no pass-through routes"));
            };
            let Combination { api, provider, .. } = combination;
            if !passing.apis.get(api).is_some_and(|providers| providers.contains(&provider.known())) {
                let reason =
                    [UnservedFeature::Api(*api), UnservedFeature::Provider(provider.known())].map(because);
                let because = reason.into_iter().find(|reason| !reason.is_empty()).unwrap_or_default();
                return Some(format!("{name} does not pass {api} through to {provider}{because}"));
            }
        } else if !self.apis.contains_key(&combination.api) {
            let because = because(UnservedFeature::Api(combination.api));
            return Some(format!("{name} does not serve {}{because}", combination.api));
        } else if !self.apis[&combination.api].contains(&combination.provider.known()) {
            let because = because(UnservedFeature::Provider(combination.provider.known()));
            return Some(format!(
                "{name} does not serve {} from {}{because}",
                combination.api, combination.provider
            ));
        }
        // upfault uses HTTP/2 only over TLS, with the same certificates.
        if transport == Transport::Http2 && !self.settings.contains_key(&Setting::Http2) {
            let because = because(UnservedFeature::Transport(transport));
            return Some(format!("{name} does not speak HTTP/2 to providers{because}"));
        }
        if transport != Transport::Plain && !self.settings.contains_key(&Setting::Tls) {
            let because = because(UnservedFeature::Transport(Transport::Tls));
            return Some(format!(
                "{name} cannot be configured to trust another certificate authority{because}"
            ));
        }
        for mistake in steps.iter().filter_map(|step| step.mistake) {
            let declared = self.document.lacks.get(&UnservedFeature::Mistake(mistake)).map(String::as_str);
            let implied = match mistake {
                RequestMistake::WrongKey if self.document.auth.is_none() => {
                    Some("it has no keys for callers")
                }
                RequestMistake::UnknownModel if settings.pass_through => Some("it passes requests through"),
                _ => None,
            };
            if let Some(reason) = declared.or(implied) {
                return Some(format!("{name} cannot notice that a caller {mistake}: {reason}"));
            }
        }
        let absent = |setting: Setting| self.document.why_without(setting, &self.version);
        let declared = |setting: &Setting| {
            (*setting == Setting::PassThrough && absent(*setting).is_none())
                || self.settings.contains_key(setting)
                || self.fixed.contains(*setting)
        };
        let (setting, ProxySettingRow { words, .. }) =
            settings.chosen().find(|(setting, _)| !declared(setting))?;
        Some(match absent(setting) {
            Some(reason) => format!("{} cannot be configured with {words}: {reason}", self.title()),
            None => format!("{name} cannot be configured with {words}"),
        })
    }

    /// Returns the settings that a case needs of a whole instance. Cases with different values cannot share
    /// an instance.
    pub fn instance_settings(&self, settings: &ProxySettings) -> InstanceSettings {
        InstanceSettings::of(settings, |setting| self.settings.get(&setting) == Some(&Width::Instance))
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;
    use crate::scenario::Cooldown;

    const CHAT: Combination = Combination { api: Api::OpenaiChat, provider: Provider::Openai, stream: false };

    fn litellm() -> Definition {
        Definition::find("litellm", Path::new("/nonexistent")).unwrap()
    }

    fn demanding() -> ProxySettings {
        ProxySettings {
            timeout: Duration::from_secs(2),
            retries: 2,
            fallback: vec!["a".to_owned(), "b".to_owned()],
            cooldown: Some(Cooldown { after: 1, lasting: Duration::from_secs(3) }),
            keep_alive: Some(Duration::from_secs(1)),
            ..ProxySettings::default()
        }
    }

    #[test]
    fn litellm_supports_every_setting() {
        assert_eq!(litellm().lacks(&CHAT, &demanding(), Transport::Plain, &[]), None);
    }

    #[test]
    fn the_first_missing_capability_is_reported() {
        let mut definition = litellm();
        definition.settings.clear();
        let mut settings = demanding();
        assert_eq!(
            definition.lacks(&CHAT, &settings, Transport::Plain, &[]).unwrap(),
            "litellm cannot be configured with a timeout"
        );
        settings.timeout = ProxySettings::default().timeout;
        assert_eq!(
            definition.lacks(&CHAT, &settings, Transport::Plain, &[]).unwrap(),
            "litellm cannot be configured with retries"
        );
        assert_eq!(definition.lacks(&CHAT, &ProxySettings::default(), Transport::Plain, &[]), None);
        definition.apis[&Api::OpenaiChat].clear();
        assert_eq!(
            definition.lacks(&CHAT, &settings, Transport::Plain, &[]).unwrap(),
            "litellm does not serve openai/chat from openai"
        );
        definition.apis.clear();
        assert_eq!(
            definition.lacks(&CHAT, &settings, Transport::Plain, &[]).unwrap(),
            "litellm does not serve openai/chat"
        );
    }

    #[test]
    fn what_one_version_lacks_is_reported_with_the_version_and_the_reason() {
        let old = Definition::find("litellm@1.90.7", Path::new("/nonexistent")).unwrap();
        insta::assert_snapshot!(
            old.lacks(&CHAT, &demanding(), Transport::Plain, &[]).unwrap(),
            @"litellm 1.90.7 cannot be configured with keep-alive pings: a later version introduced them"
        );
        let passing = ProxySettings { pass_through: true, ..ProxySettings::default() };
        assert_eq!(old.lacks(&CHAT, &passing, Transport::Plain, &[]), None);
        let older = Definition::find("litellm@1.81.16", Path::new("/nonexistent")).unwrap();
        insta::assert_snapshot!(
            older.lacks(&CHAT, &passing, Transport::Plain, &[]).unwrap(),
            @"litellm 1.81.16 cannot be configured with pass-through routes: before 1.84, pass-through with a key needs a license"
        );
    }

    #[test]
    fn a_proxy_without_keys_or_a_list_of_models_says_so() {
        let mut definition = litellm();
        let mut document = (*definition.document).clone();
        let reason = "it has no keys for callers".to_owned();
        document.lacks.insert(UnservedFeature::Mistake(RequestMistake::WrongKey), reason);
        definition.document = Arc::new(document);
        let lacks = |mistake| {
            let step = Step { mistake: Some(mistake), ..Step::default() };
            definition.lacks(&CHAT, &ProxySettings::default(), Transport::Plain, &[Step::default(), step])
        };
        insta::assert_snapshot!(
            lacks(RequestMistake::WrongKey).unwrap(),
            @"litellm cannot notice that a caller sends a wrong key: it has no keys for callers"
        );
        assert_eq!(lacks(RequestMistake::UnknownModel), None);
        let parsed: UnservedFeature = serde_json::from_str("\"unknown_model\"").unwrap();
        assert_eq!(parsed.to_string(), "unknown_model");
    }

    #[test]
    fn pass_through_has_its_own_list_of_apis() {
        let passing = ProxySettings { pass_through: true, ..ProxySettings::default() };
        let mut definition = litellm();
        let lacks = |definition: &Definition, provider| {
            definition.lacks(&Combination { provider, ..CHAT }, &passing, Transport::Plain, &[])
        };
        assert_eq!(lacks(&definition, Provider::Openai), None);
        insta::assert_snapshot!(
            lacks(&definition, Provider::Bedrock).unwrap(),
            @"litellm does not pass openai/chat through to bedrock"
        );
        let mut document = (*definition.document).clone();
        document.pass_through = None;
        definition.document = Arc::new(document);
        insta::assert_snapshot!(
            lacks(&definition, Provider::Openai).unwrap(),
            @"litellm has no pass-through routes"
        );
    }

    #[test]
    fn a_transport_that_is_not_declared_is_reported_with_its_reason() {
        let mut definition = litellm();
        let lacks = |definition: &Definition, transport| {
            definition.lacks(&CHAT, &ProxySettings::default(), transport, &[])
        };
        assert_eq!(lacks(&definition, Transport::Tls), None);
        assert_eq!(
            lacks(&definition, Transport::Http2).unwrap(),
            "litellm does not speak HTTP/2 to providers: it uses HTTP/1.1 for all providers"
        );
        definition.settings.insert(Setting::Http2, Width::Instance);
        assert_eq!(lacks(&definition, Transport::Http2), None);
        definition.settings.shift_remove(&Setting::Tls);
        for transport in [Transport::Tls, Transport::Http2] {
            let reason = lacks(&definition, transport).unwrap();
            assert_eq!(reason, "litellm cannot be configured to trust another certificate authority");
        }
        assert_eq!(lacks(&definition, Transport::Plain), None);
    }

    #[test]
    fn only_settings_of_a_whole_instance_separate_cases() {
        let definition = litellm();
        let plain = definition.instance_settings(&ProxySettings::default());
        assert_eq!(plain, InstanceSettings::default());
        let mut slow = ProxySettings::default();
        (slow.timeout, slow.retries) = (Duration::from_secs(1), 3);
        assert_eq!(definition.instance_settings(&slow), plain);
        let demanding = definition.instance_settings(&demanding());
        let values = demanding.template_value();
        assert!(demanding.cooldown.is_some() && values["fallback"] == true && values["timeout_s"].is_null());
    }
}
