//! What the cases of a cause have in common.

use std::collections::BTreeSet;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::Combination;

/// How many names a description lists.
const LISTED: usize = 3;

/// What the cases of a cause have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct CaseScope {
    /// Their providers, sorted.
    pub providers: Vec<String>,
    /// The APIs that their callers use, sorted.
    pub apis: Vec<String>,
    /// Whether all request a stream (`true`) or none does (`false`); null if some do.
    pub stream: Option<bool>,
    /// Their families: the folders of their scenarios, sorted.
    pub families: Vec<String>,
    /// Their scenarios, sorted.
    pub scenarios: Vec<String>,
}

impl CaseScope {
    /// Describes cases, given as the scenario and the combination of each. Pure.
    pub(crate) fn of<'a>(cases: impl Iterator<Item = (&'a str, Combination)> + Clone) -> Self {
        let set = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>();
        let streams: BTreeSet<bool> = cases.clone().map(|(_, combination)| combination.stream).collect();
        let family = |scenario: &str| scenario.split('/').next().unwrap_or(scenario).to_owned();
        Self {
            providers: set(cases.clone().map(|(_, combination)| combination.provider.to_string()).collect()),
            apis: set(cases.clone().map(|(_, combination)| combination.api.to_string()).collect()),
            stream: if streams.len() == 1 { streams.first().copied() } else { None },
            families: set(cases.clone().map(|(scenario, _)| family(scenario)).collect()),
            scenarios: set(cases.map(|(scenario, _)| scenario.to_owned()).collect()),
        }
    }

    /// `gemini, openai/chat, streaming; stream/error-event`.
    pub(crate) fn describe(&self) -> String {
        let mut parts = vec![listed(&self.providers, "providers"), listed(&self.apis, "APIs")];
        parts.extend(
            self.stream.map(|stream| if stream { "streaming" } else { "without streaming" }.to_owned()),
        );
        let place = if self.scenarios.len() <= LISTED {
            self.scenarios.join(", ")
        } else if self.families.len() <= LISTED {
            let families: Vec<String> = self.families.iter().map(|family| format!("{family}/*")).collect();
            families.join(", ")
        } else {
            format!("{} scenarios", self.scenarios.len())
        };
        format!("{}; {place}", parts.join(", "))
    }
}

fn listed(names: &[String], word: &str) -> String {
    if names.len() <= LISTED { names.join(", ") } else { format!("{} {word}", names.len()) }
}
