//! What a proxy is told about one deployment, in no proxy's own words.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::scenario::{Api, Cooldown, Provider};

/// One deployment that the proxy is to know. Templates see these fields by these names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProxyRoute {
    /// The model name that callers use.
    pub model: String,
    /// What callers call on it.
    pub api: Api,
    /// The dialect of the upstream.
    pub provider: Provider,
    /// The model name that the upstream is asked for.
    pub upstream_model: String,
    /// As that provider's own SDK takes it (`http://127.0.0.1:PORT/…/v1` for openai).
    pub base_url: String,
    /// The key that the proxy sends upstream.
    pub api_key: String,
    /// How long the proxy may wait for one attempt, in seconds.
    pub timeout_s: f64,
    /// How often it may try again.
    pub retries: u32,
    /// The models to try next, in order.
    pub fallbacks: Vec<String>,
    /// Whether callers hand requests to it as they are, and get its answers as they are.
    pub pass_through: bool,
    /// How long a stream may be silent before it is pinged on, in seconds.
    pub keep_alive_s: Option<f64>,
    /// The case that the route belongs to.
    pub group: String,
}

/// Settings that hold for a whole instance. Cases that differ in them run on separate instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct InstanceSettings {
    /// Whether a failing deployment is left alone for a while.
    pub cooldown: Option<Cooldown>,
    /// How long one attempt may take, where the proxy has one value for all routes.
    pub timeout: Option<Duration>,
    /// How often it may try again, where the proxy has one value for all routes.
    pub retries: Option<u32>,
    /// Whether cases with a fallback are among its routes, where a proxy keeps them apart: an error
    /// of LiteLLM's shows the fallbacks of all models, so other cases' texts would depend on them.
    pub fallback: bool,
    /// How long a stream may be silent before it is pinged on, where the proxy has one value for all.
    pub keep_alive: Option<Duration>,
}

impl InstanceSettings {
    /// As templates see it: `settings.cooldown` is `none` or `{after, for_s}`, `settings.timeout_s`,
    /// `settings.retries` and `settings.keep_alive_s` are `none` or a number, `settings.fallback` is a
    /// truth value.
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
