//! A definition that has been loaded and checked.

use std::sync::Arc;

use indexmap::IndexMap;
use regex::Regex;

use super::{
    document::{Document, Lacked, Setting, Width},
    route::InstanceSettings,
    source::Source,
};
use crate::scenario::{Api, Combination, Provider, ProxySettings};

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
    pub(super) source: Source,
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

    /// What varies by itself in its own words, and what stands in its place in snapshots.
    pub fn volatile(&self) -> impl Iterator<Item = (Regex, String)> {
        self.document.volatile.iter().map(|one| (one.pattern.clone(), one.with.clone()))
    }

    /// Where the definition is: its proxy.yaml, as it is shown to people.
    pub fn file(&self) -> String {
        self.source.display(super::source::FILE)
    }

    /// The providers and APIs that people would look for in it in vain, each with the reason.
    pub fn unserved(&self) -> impl Iterator<Item = (String, &str)> {
        self.document.lacks.iter().map(|(lacked, reason)| (lacked.to_string(), reason.as_str()))
    }

    /// Why a case with this combination and these settings cannot be run, if it cannot.
    pub fn lacks(&self, combination: &Combination, settings: &ProxySettings) -> Option<String> {
        let name = &self.name;
        let because =
            |lacked| self.document.lacks.get(&lacked).map(|reason| format!(": {reason}")).unwrap_or_default();
        let Some(providers) = self.apis.get(&combination.api) else {
            let because = because(Lacked::Api(combination.api));
            return Some(format!("{name} does not serve {}{because}", combination.api));
        };
        if !providers.contains(&combination.provider) {
            let because = because(Lacked::Provider(combination.provider));
            return Some(format!(
                "{name} does not serve {} from {}{because}",
                combination.api, combination.provider
            ));
        }
        let default = ProxySettings::default();
        let wanted = [
            (Setting::Timeout, settings.timeout != default.timeout, "a timeout"),
            (Setting::Retries, settings.retries != default.retries, "retries"),
            (Setting::Fallback, !settings.fallback.is_empty(), "a fallback"),
            (Setting::Cooldown, settings.cooldown.is_some(), "a cooldown"),
        ];
        wanted
            .into_iter()
            .find(|(setting, wanted, _)| *wanted && !self.settings.contains_key(setting))
            .map(|(.., what)| format!("{name} cannot be set to {what}"))
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
        }
    }

    #[test]
    fn litellm_lacks_nothing_that_can_be_set() {
        assert_eq!(litellm().lacks(&CHAT, &demanding()), None);
    }

    #[test]
    fn what_is_lacked_is_named_one_after_the_other() {
        let mut definition = litellm();
        definition.settings.clear();
        let mut settings = demanding();
        assert_eq!(definition.lacks(&CHAT, &settings).unwrap(), "litellm cannot be set to a timeout");
        settings.timeout = ProxySettings::default().timeout;
        assert_eq!(definition.lacks(&CHAT, &settings).unwrap(), "litellm cannot be set to retries");
        assert_eq!(definition.lacks(&CHAT, &ProxySettings::default()), None);
        definition.apis[&Api::OpenaiChat].clear();
        assert_eq!(
            definition.lacks(&CHAT, &settings).unwrap(),
            "litellm does not serve openai/chat from openai"
        );
        definition.apis.clear();
        assert_eq!(definition.lacks(&CHAT, &settings).unwrap(), "litellm does not serve openai/chat");
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
