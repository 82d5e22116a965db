//! A model of a user's own configuration of the proxy, with which cases run.

use std::time::Duration;

use indexmap::IndexMap;

use super::{
    proxy_settings::{Cooldown, ProxySettings},
    words::{Api, Provider},
};

/// A model of a user's own configuration of the proxy, with the settings that the user chose for it.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnModel {
    /// The name that callers use: `gpt-4o`, `openai/*`.
    pub name: String,
    /// The deployment that callers address.
    pub main: OwnDeployment,
    /// The deployments that the proxy uses if it fails, in order.
    pub fallbacks: Vec<OwnDeployment>,
    /// The APIs with which callers can use it.
    pub apis: Vec<Api>,
    /// What follows the name of a case's model in requests: `/gpt-4o` if `*` in the user's name means any model;
    /// empty otherwise.
    pub suffix: String,
    /// The settings of the proxy for this model.
    pub settings: OwnSettings,
}

/// A deployment in a user's own configuration of the proxy.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnDeployment {
    /// Its provider.
    pub provider: Provider,
    /// The value of `route.own` in templates.
    pub entry: serde_json::Value,
}

impl OwnModel {
    /// The user's deployment in place of a deployment of a case with these settings.
    pub(crate) fn deployment(&self, proxy: &ProxySettings, name: &str) -> &OwnDeployment {
        let place =
            proxy.fallback.iter().position(|member| member == name).and_then(|place| place.checked_sub(1));
        place.and_then(|place| self.fallbacks.get(place)).unwrap_or(&self.main)
    }
}

/// The settings that a user chose, as far as they decide what a case must find.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OwnSettings {
    /// How long the proxy waits for one attempt.
    pub timeout: Duration,
    /// The same if the caller requests a stream.
    pub stream_timeout: Duration,
    /// How often the proxy retries.
    pub retries: u32,
    /// Whether it may retry more or less often than that, because other settings matter too.
    pub retries_vary: bool,
    /// When a failing deployment is in cooldown; `None` if the user did not choose it.
    pub cooldown: Option<Cooldown>,
    /// The interval of pings.
    pub keep_alive: Option<Duration>,
    /// The longest time that a case may wait for this proxy to give up a silent provider.
    pub patience: Duration,
    /// Features of scenarios that the user's settings exclude, each with the reason.
    pub excluded: IndexMap<String, String>,
}
