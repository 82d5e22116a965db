//! The setup of a case. It is stored with the observation, so that a stored run can be judged again.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Identity, Volatile};
use crate::scenario::{Combination, Expect, Level, Provider, ProxySettings, Turn};

/// The setup of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Arrangement {
    /// The token with which the case is traced.
    pub identity: Identity,
    /// The point of the matrix.
    pub combination: Combination,
    /// The level of the scenario.
    pub level: Level,
    /// The settings of the proxy.
    pub proxy: ProxySettings,
    /// The upstreams. Callers address the first one unless a request names another.
    pub deployments: Vec<DeploymentArranged>,
    /// What the scenario requires beyond the contract.
    pub expect: Expect,
    /// The rules that do not apply to the scenario, with the reason.
    pub except: indexmap::IndexMap<String, String>,
    /// The ids of the cases of the scenario with which this case is compared.
    #[serde(alias = "held_against", default, skip_serializing_if = "Vec::is_empty")]
    pub compared_with: Vec<String>,
    /// The tokens of the other looks at the same case, if each look has its own identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_looks: Vec<String>,
    /// Secrets of the proxy that must never leave it: its own key, its master key.
    pub proxy_secrets: Vec<String>,
    /// The address `127.0.0.1:PORT` of each mock, which no caller should see.
    pub upstream_addresses: Vec<String>,
    /// How often the proxy retries, if a scenario cannot set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_retries: Option<OwnRetries>,
    /// The addresses of mocks of other cases that occur in a response of this case, which they never should.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_addresses: Vec<String>,
    /// Whether the proxy's definition says that it answers a request like an earlier one from a cache.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub caches: bool,
    /// The parts of the proxy's own messages that vary from run to run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volatile: Vec<Volatile>,
}

/// How often a proxy retries whose retries a scenario cannot set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OwnRetries {
    /// Its definition says how often.
    Declared(u32),
    /// Its definition does not say it.
    Unknown,
}

impl OwnRetries {
    /// This often, unless other settings can change it.
    pub fn of(retries: u32, vary: bool) -> Self {
        if vary { Self::Unknown } else { Self::Declared(retries) }
    }
}

impl Arrangement {
    /// How often the proxy may retry at one deployment; `None` if that is unknown.
    pub fn allowed_retries(&self) -> Option<u32> {
        match self.own_retries {
            None => Some(self.proxy.retries),
            Some(OwnRetries::Declared(retries)) => Some(retries),
            Some(OwnRetries::Unknown) => None,
        }
    }

    /// The combination of the case with the provider of a deployment.
    pub fn combination_of(&self, deployment: &str) -> Combination {
        let known = self.deployments.iter().find(|known| known.name == deployment);
        let provider = known.and_then(|known| known.provider).unwrap_or(self.combination.provider);
        Combination { provider, ..self.combination }
    }

    /// The deployments that a request can reach: the group of the deployment that it addresses, in any order; or, in
    /// order, the fallback chain from the first deployment, or only the other deployment that the request addresses.
    pub fn chain(&self, to: Option<&str>) -> Vec<&str> {
        let first = self.deployments.first().map(|deployment| deployment.name.as_str());
        let group = &self.proxy.group;
        if to.or(first).is_some_and(|to| group.iter().any(|member| member == to)) {
            return group.iter().map(String::as_str).collect();
        }
        match self.deployments.iter().find(|deployment| Some(deployment.name.as_str()) == to) {
            Some(other) if Some(other.name.as_str()) != first => vec![&other.name],
            _ if self.proxy.fallback.is_empty() => first.into_iter().collect(),
            _ => self.proxy.fallback.iter().map(String::as_str).collect(),
        }
    }
}

/// One upstream endpoint that is configured in the proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct DeploymentArranged {
    /// Its name in the scenario.
    pub name: String,
    /// The model name with which callers address it.
    pub model: String,
    /// Its provider, if it is not that of the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// The provider key with which the proxy calls it.
    pub key: String,
    /// Its turns, in order; the last one repeats.
    #[cfg_attr(test, schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>"))]
    pub turns: Vec<Turn>,
}
