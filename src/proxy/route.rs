//! The configuration of one deployment, independent of any proxy's format.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::scenario::{Api, Cooldown, Provider};

/// A deployment in the proxy's configuration. Templates use these field names.
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
    /// How long the proxy may wait for one attempt, in seconds.
    pub timeout_s: f64,
    /// How often the proxy may retry.
    pub retries: u32,
    /// The models of the fallbacks, in order.
    pub fallbacks: Vec<String>,
    /// Whether the proxy passes requests and responses through unchanged.
    pub pass_through: bool,
    /// How long a stream may be silent before the proxy sends a ping, in seconds.
    pub keep_alive_s: Option<f64>,
    /// The case that the route belongs to.
    pub group: String,
}

/// Settings that apply to a whole instance. Cases with different values run on separate instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct InstanceSettings {
    /// When, and for how long, a failing deployment is in cooldown.
    pub cooldown: Option<Cooldown>,
    /// How long one attempt may take, if the proxy has one value for all routes.
    pub timeout: Option<Duration>,
    /// How often the proxy may retry, if it has one value for all routes.
    pub retries: Option<u32>,
    /// Whether the routes include fallbacks, for a proxy that must keep cases with and without a fallback on
    /// separate instances. An error of LiteLLM's lists the fallbacks of all models, so the texts of other
    /// cases would depend on them.
    pub fallback: bool,
    /// How long a stream may be silent before the proxy sends a ping, if it has one value for all routes.
    pub keep_alive: Option<Duration>,
}

impl InstanceSettings {
    /// Returns the value of `settings` in templates: `settings.cooldown` is `none` or `{after, for_s}`,
    /// `settings.timeout_s`, `settings.retries` and `settings.keep_alive_s` are `none` or a number,
    /// `settings.fallback` is a Boolean.
    pub fn template_value(&self) -> BTreeMap<&'static str, serde_json::Value> {
        let cooldown = self.cooldown.map_or(
            serde_json::Value::Null,
            |cooldown| serde_json::json!({"after": cooldown.after, "for_s": cooldown.lasting.as_secs_f64()}),
        );
        BTreeMap::from([
            ("cooldown", cooldown),
            ("timeout_s", serde_json::json!(self.timeout.map(|timeout| timeout.as_secs_f64()))),
            ("retries", serde_json::json!(self.retries)),
            ("fallback", serde_json::json!(self.fallback)),
            ("keep_alive_s", serde_json::json!(self.keep_alive.map(|interval| interval.as_secs_f64()))),
        ])
    }
}
