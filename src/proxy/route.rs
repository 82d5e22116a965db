//! The configuration of one deployment, independent of any proxy's format.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    observation::Identity,
    provider::{self, KeyPlace},
    scenario::{Api, Cooldown, Provider, ProxySettings, Setting},
};

/// A deployment in the proxy's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProxyRoute {
    /// The model name that callers use.
    pub model: String,
    /// The API that callers use.
    pub api: Api,
    /// The provider whose API the upstream speaks.
    pub provider: Provider,
    /// The model name in requests to the upstream.
    pub upstream_model: String,
    /// The base URL, in the form that the provider's own SDK expects (`http://127.0.0.1:PORT/…/v1` for
    /// openai).
    pub base_url: String,
    /// The key that the proxy sends upstream.
    pub api_key: String,
    /// The models of the fallbacks, in order.
    pub fallbacks: Vec<String>,
    /// The settings of the proxy for this route.
    pub settings: ProxySettings,
    /// The case that the route belongs to.
    pub group: String,
    /// The entry of a user's own configuration that the route is; null for a route that upfault configures.
    #[serde(default)]
    pub own: Value,
}

impl ProxyRoute {
    /// Returns the base URL that all routes share, if they have no address of their own.
    pub(super) fn shared_base_url(&self) -> String {
        let (address, _) = self.address_and_path();
        format!("{}://{address}/{}", self.scheme(), Identity::SHARED_PATH)
    }

    fn scheme(&self) -> &str {
        self.base_url.split_once("://").map_or("http", |(scheme, _)| scheme)
    }

    /// Returns the address in the base URL, and the path after it.
    fn address_and_path(&self) -> (&str, &str) {
        let rest = self.base_url.split_once("://").map_or(self.base_url.as_str(), |(_, rest)| rest);
        rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash))
    }

    /// Returns the value of the route in templates: the fields of this type; the settings that a route can have
    /// (`timeout_s` and `keep_alive_s` in seconds, `retries`, `pass_through`); the parts of the base URL (`scheme`,
    /// `address`, `base_path`); and `key_header`, the header with its key: `{name, value}`, or `none` if the provider's
    /// key is not in a header.
    pub(super) fn template_value(&self) -> Value {
        let mut fields: Map<String, Value> = match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        // A gateway treats a provider of the project as the one whose dialect it speaks.
        fields.insert("provider".to_owned(), json!(self.provider.known()));
        fields.extend(self.settings.of_route().map(|(name, value)| (name.to_owned(), value)));
        let header = match provider::profile(self.provider).key.first() {
            Some(KeyPlace::Header(name)) => Some((name.as_str(), self.api_key.clone())),
            Some(KeyPlace::Bearer) | None => Some(("authorization", format!("Bearer {}", self.api_key))),
            Some(KeyPlace::Query(_) | KeyPlace::Sigv4) => None,
        };
        let header = header.map(|(name, value)| json!({"name": name, "value": value}));
        let (scheme, (address, path)) = (self.scheme(), self.address_and_path());
        let parts = [("key_header", json!(header)), ("scheme", json!(scheme)), ("address", json!(address))];
        fields.extend(parts.map(|(name, value)| (name.to_owned(), value)));
        fields.insert("base_path".to_owned(), json!(path));
        Value::Object(fields)
    }
}

/// Settings that apply to a whole instance. Cases with different values run on separate instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceSettings {
    /// When, and for how long, a failing deployment is in cooldown.
    pub cooldown: Option<Cooldown>,
    values: BTreeMap<&'static str, Value>,
}

impl InstanceSettings {
    /// Returns the settings that a case needs of a whole instance. `is_wide` says of which settings the proxy has one
    /// value for all routes, or must keep cases with different values on separate instances. For example, an error of
    /// LiteLLM's lists the fallbacks of all models, so the texts of other cases would depend on them.
    pub fn of(settings: &ProxySettings, is_wide: impl Fn(Setting) -> bool) -> Self {
        // The cooldown never applies to a single route: it applies to a whole deployment, and a case without this
        // setting must run without it.
        let is_wide = |setting| setting == Setting::Cooldown || is_wide(setting);
        Self { cooldown: settings.cooldown, values: settings.of_instance(is_wide) }
    }

    /// Returns the value of `settings` in templates: `settings.cooldown` is `none` or `{after, for_s}`,
    /// `settings.timeout_s`, `settings.retries` and `settings.keep_alive_s` are `none` or a number,
    /// `settings.fallback` is a Boolean.
    pub fn template_value(&self) -> &BTreeMap<&'static str, Value> {
        &self.values
    }

    /// Returns the settings in words, for messages: `a fallback, a cooldown of 2s after 1 failure`.
    pub fn describe(&self) -> String {
        let with = |words: &str, value: &Value| match value {
            Value::Null | Value::Bool(false) => None,
            Value::Bool(true) => Some(words.to_owned()),
            value => Some(format!("{words} ({value})")),
        };
        let cooldown = self.cooldown.map(|Cooldown { after, lasting }| {
            let failures = if after == 1 { "1 failure".to_owned() } else { format!("{after} failures") };
            format!("a cooldown of {} after {failures}", humantime::format_duration(lasting))
        });
        let others = Setting::rows()
            .filter(|(setting, _)| *setting != Setting::Cooldown)
            .filter_map(|(_, row)| with(row.words, self.values.get(row.of_instance?)?));
        let described: Vec<String> = others.chain(cooldown).collect();
        if described.is_empty() { "the default settings".to_owned() } else { described.join(", ") }
    }
}

/// Only the default values, each for a single route.
impl Default for InstanceSettings {
    fn default() -> Self {
        Self::of(&ProxySettings::default(), |_| false)
    }
}
