//! A definition that has been loaded and checked.

use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    document::{Document, Setting, UnservedFeature, Width},
    route::InstanceSettings,
    source::DefinitionSource,
};
use crate::{
    observation::Volatile,
    scenario::{Api, Combination, Provider, ProxySettings, Transport},
};

/// The version of a definition that names none.
pub const LOCAL_VERSION: &str = "local";

/// How a proxy is installed, configured, started and addressed.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// The version that is meant: the definition's default, or the one asked for.
    pub version: String,
    /// One line about it.
    pub summary: String,
    /// Where its documentation is.
    pub homepage: String,
    /// What callers may call, and who can stand behind it.
    pub apis: IndexMap<Api, Vec<Provider>>,
    /// What a scenario may set, and how widely it holds.
    pub settings: IndexMap<Setting, Width>,
    /// The programs that it needs and how to get each.
    pub needs: IndexMap<String, String>,
    /// What this version needs and others don't.
    pub(super) pins: serde_json::Map<String, serde_json::Value>,
    /// `files`, with the text of each template.
    pub(super) templates: Vec<FileTemplate>,
    pub(super) document: Arc<Document>,
    pub(super) source: DefinitionSource,
}

/// A file that is rendered for each instance.
#[derive(Debug, Clone)]
pub(super) struct FileTemplate {
    /// The variable that holds the path of the rendered file.
    pub(super) variable: String,
    /// The template's file, as it is shown to people.
    pub(super) shown: String,
    /// The name of the rendered file.
    pub(super) target: String,
    pub(super) text: String,
}

impl Definition {
    /// The version, of a definition that has versions.
    pub fn release(&self) -> Option<&str> {
        (self.version != LOCAL_VERSION).then_some(self.version.as_str())
    }

    /// `litellm 1.102.4`, or the bare name of one without versions.
    pub fn title(&self) -> String {
        if self.version == LOCAL_VERSION {
            self.name.clone()
        } else {
            format!("{} {}", self.name, self.version)
        }
    }

    /// What varies by itself in its own words.
    pub fn volatile(&self) -> &[Volatile] {
        &self.document.volatile
    }

    /// Where the definition is: its proxy.yaml, as it is shown to people.
    pub fn file(&self) -> String {
        self.source.display(super::source::FILE)
    }

    /// The providers, APIs and transports that people would look for in it in vain, each with the reason.
    pub fn unserved(&self) -> impl Iterator<Item = (String, &str)> {
        self.document.lacks.iter().map(|(lacked, reason)| (lacked.to_string(), reason.as_str()))
    }

    /// What can be called through it as the provider takes it.
    pub fn passed_through(&self) -> impl Iterator<Item = (&Api, &Vec<Provider>)> {
        self.document.pass_through.iter().flat_map(|passing| &passing.apis)
    }

    /// Why a case with this combination, these settings and upstreams that are reached like this cannot
    /// be run, if it cannot.
    pub fn lacks(
        &self,
        combination: &Combination,
        settings: &ProxySettings,
        transport: Transport,
    ) -> Option<String> {
        let name = &self.name;
        let because =
            |lacked| self.document.lacks.get(&lacked).map(|reason| format!(": {reason}")).unwrap_or_default();
        if settings.pass_through {
            let Some(passing) = &self.document.pass_through else {
                return Some(format!("{name} has no pass-through routes"));
            };
            let Combination { api, provider, .. } = combination;
            if !passing.apis.get(api).is_some_and(|providers| providers.contains(provider)) {
                return Some(format!("{name} does not pass {api} through to {provider}"));
            }
        } else if !self.apis.contains_key(&combination.api) {
            let because = because(UnservedFeature::Api(combination.api));
            return Some(format!("{name} does not serve {}{because}", combination.api));
        } else if !self.apis[&combination.api].contains(&combination.provider) {
            let because = because(UnservedFeature::Provider(combination.provider));
            return Some(format!(
                "{name} does not serve {} from {}{because}",
                combination.api, combination.provider
            ));
        }
        // Whoever speaks HTTP/2 here does so over TLS, with the same certificates.
        if transport == Transport::Http2 && !self.settings.contains_key(&Setting::Http2) {
            let because = because(UnservedFeature::Transport(transport));
            return Some(format!("{name} does not speak HTTP/2 to providers{because}"));
        }
        if transport != Transport::Plain && !self.settings.contains_key(&Setting::Tls) {
            let because = because(UnservedFeature::Transport(Transport::Tls));
            return Some(format!("{name} cannot be told which authority to trust{because}"));
        }
        let default = ProxySettings::default();
        let wanted = [
            (Setting::Timeout, settings.timeout != default.timeout, "a timeout"),
            (Setting::Retries, settings.retries != default.retries, "retries"),
            (Setting::Fallback, !settings.fallback.is_empty(), "a fallback"),
            (Setting::Cooldown, settings.cooldown.is_some(), "a cooldown"),
            (Setting::KeepAlive, settings.keep_alive.is_some(), "keep-alive pings"),
        ];
        let (setting, _, what) = wanted
            .into_iter()
            .find(|(setting, wanted, _)| *wanted && !self.settings.contains_key(setting))?;
        let because = self.document.without.get(&self.version).and_then(|without| without.get(&setting));
        Some(match because {
            Some(reason) => format!("{} cannot be set to {what}: {reason}", self.title()),
            None => format!("{name} cannot be set to {what}"),
        })
    }

    /// What a case needs of its instance: cases that differ in it cannot share one.
    pub fn instance_settings(&self, settings: &ProxySettings) -> InstanceSettings {
        let wide = |setting| self.settings.get(&setting) == Some(&Width::Instance);
        InstanceSettings {
            // No definition sets a cooldown per route: what is left alone is a whole deployment,
            // and a case without the setting must be free of it.
            cooldown: settings.cooldown,
            timeout: wide(Setting::Timeout).then_some(settings.timeout),
            retries: wide(Setting::Retries).then_some(settings.retries),
            fallback: wide(Setting::Fallback) && !settings.fallback.is_empty(),
            keep_alive: settings.keep_alive.filter(|_| wide(Setting::KeepAlive)),
        }
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
    fn litellm_lacks_nothing_that_can_be_set() {
        assert_eq!(litellm().lacks(&CHAT, &demanding(), Transport::Plain), None);
    }

    #[test]
    fn what_is_lacked_is_named_one_after_the_other() {
        let mut definition = litellm();
        definition.settings.clear();
        let mut settings = demanding();
        assert_eq!(
            definition.lacks(&CHAT, &settings, Transport::Plain).unwrap(),
            "litellm cannot be set to a timeout"
        );
        settings.timeout = ProxySettings::default().timeout;
        assert_eq!(
            definition.lacks(&CHAT, &settings, Transport::Plain).unwrap(),
            "litellm cannot be set to retries"
        );
        assert_eq!(definition.lacks(&CHAT, &ProxySettings::default(), Transport::Plain), None);
        definition.apis[&Api::OpenaiChat].clear();
        assert_eq!(
            definition.lacks(&CHAT, &settings, Transport::Plain).unwrap(),
            "litellm does not serve openai/chat from openai"
        );
        definition.apis.clear();
        assert_eq!(
            definition.lacks(&CHAT, &settings, Transport::Plain).unwrap(),
            "litellm does not serve openai/chat"
        );
    }

    #[test]
    fn what_single_versions_lack_is_told_with_the_version_and_the_reason() {
        let old = Definition::find("litellm@1.90.7", Path::new("/nonexistent")).unwrap();
        insta::assert_snapshot!(
            old.lacks(&CHAT, &demanding(), Transport::Plain).unwrap(),
            @"litellm 1.90.7 cannot be set to keep-alive pings: they came with a later version"
        );
    }

    #[test]
    fn a_pass_through_is_asked_for_by_its_own_list() {
        let passing = ProxySettings { pass_through: true, ..ProxySettings::default() };
        let mut definition = litellm();
        let lacks = |definition: &Definition, provider| {
            definition.lacks(&Combination { provider, ..CHAT }, &passing, Transport::Plain)
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
    fn a_transport_that_is_not_declared_is_lacked_with_its_reason() {
        let mut definition = litellm();
        let lacks = |definition: &Definition, transport| {
            definition.lacks(&CHAT, &ProxySettings::default(), transport)
        };
        assert_eq!(lacks(&definition, Transport::Tls), None);
        assert_eq!(
            lacks(&definition, Transport::Http2).unwrap(),
            "litellm does not speak HTTP/2 to providers: it speaks HTTP/1.1 to all of them"
        );
        definition.settings.insert(Setting::Http2, Width::Instance);
        assert_eq!(lacks(&definition, Transport::Http2), None);
        definition.settings.shift_remove(&Setting::Tls);
        for transport in [Transport::Tls, Transport::Http2] {
            let told = lacks(&definition, transport).unwrap();
            assert_eq!(told, "litellm cannot be told which authority to trust");
        }
        assert_eq!(lacks(&definition, Transport::Plain), None);
    }

    #[test]
    fn only_what_is_as_wide_as_an_instance_separates_cases() {
        let definition = litellm();
        let plain = definition.instance_settings(&ProxySettings::default());
        assert_eq!(plain, InstanceSettings::default());
        let mut slow = ProxySettings::default();
        (slow.timeout, slow.retries) = (Duration::from_secs(1), 3);
        assert_eq!(definition.instance_settings(&slow), plain);
        let demanding = definition.instance_settings(&demanding());
        assert!(demanding.fallback && demanding.cooldown.is_some() && demanding.timeout.is_none());
    }
}
