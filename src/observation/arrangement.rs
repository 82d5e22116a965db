//! What was set up for a case, kept beside what was seen so that a stored run can be judged again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Identity, Volatile};
use crate::scenario::{Combination, Expect, Level, ProxySettings, Turn};

/// What was set up for a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Arrangement {
    /// The tokens by which the case is traced.
    pub identity: Identity,
    /// The point of the matrix.
    pub combination: Combination,
    /// The scenario's level.
    pub level: Level,
    /// How the proxy was set.
    pub proxy: ProxySettings,
    /// The upstreams, the first being the one that callers address.
    pub deployments: Vec<DeploymentArranged>,
    /// What the scenario demands beyond the contract.
    pub expect: Expect,
    /// Rules that the scenario lifts, with the reason.
    pub except: indexmap::IndexMap<String, String>,
    /// The ids of those cases of the scenario that this one is held against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_against: Vec<String>,
    /// The tokens under which other looks at the same case went, where a look has an identity of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_looks: Vec<String>,
    /// Secrets of the proxy that must never come out: its own key, its master key.
    pub proxy_secrets: Vec<String>,
    /// `127.0.0.1:PORT` of each mock, which no caller should get to see.
    pub upstream_addresses: Vec<String>,
    /// What varies by itself in the proxy's own words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volatile: Vec<Volatile>,
}

impl Arrangement {
    /// The deployments that a request may lead to, in order: the chain that begins with the first, or
    /// the one other that it addresses.
    pub fn chain(&self, to: Option<&str>) -> Vec<&str> {
        let first = self.deployments.first().map(|deployment| deployment.name.as_str());
        match self.deployments.iter().find(|deployment| Some(deployment.name.as_str()) == to) {
            Some(other) if Some(other.name.as_str()) != first => vec![&other.name],
            _ if self.proxy.fallback.is_empty() => first.into_iter().collect(),
            _ => self.proxy.fallback.iter().map(String::as_str).collect(),
        }
    }
}

/// One upstream endpoint that the proxy knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeploymentArranged {
    /// Its name in the scenario.
    pub name: String,
    /// The model name by which callers would address it.
    pub model: String,
    /// The key that the proxy holds for it.
    pub key: String,
    /// What it does, turn by turn; the last repeats.
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    pub turns: Vec<Turn>,
}
