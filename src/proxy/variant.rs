//! What differs from a definition: a mode with a name, or a file in the same form.

use std::time::Duration;

use indexmap::IndexMap;
#[cfg(test)]
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{error::ProxyError, template, text::Text};
use crate::scenario::duration;

/// What differs from a definition: a mode with a name, or a file in the same form.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub(super) struct VariantDocument {
    /// What it changes, in one line.
    pub(super) summary: String,
    /// Additional environment variables of the proxy.
    pub(super) env: IndexMap<String, Text>,
    /// Additional arguments of the launch command.
    pub(super) arguments: Vec<Text>,
    /// Settings that are merged over the configuration file. Their texts are templates.
    pub(super) settings: Map<String, Value>,
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

    /// Checks that all variables in its templates exist. `known` are their names, and `yaml` is the text of the file that
    /// contains it.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Invalid`] with the place in the file.
    pub(super) fn check(&self, file: &str, yaml: &str, known: &[&str]) -> Result<(), ProxyError> {
        let environment = minijinja::Environment::new();
        let mut texts: Vec<Text> = self.texts().cloned().collect();
        self.settings.values().for_each(|value| collect(value, &mut texts));
        for text in texts {
            template::check(&environment, &text.source, known)
                .map_err(|(place, message)| template::invalid_in(file, yaml, &text, place, &message))?;
        }
        Ok(())
    }
}

/// A program that each instance of a proxy uses.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
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
    #[cfg_attr(test, schemars(with = "String"))]
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

/// Adds every text in a value.
fn collect(value: &Value, texts: &mut Vec<Text>) {
    match value {
        Value::String(text) => texts.push(Text::somewhere(text)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => members.values().for_each(|member| collect(member, texts)),
        _ => {}
    }
}
