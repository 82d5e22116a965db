//! Expansion of a scenario into its cases, and the cases that a known finding names.

use std::sync::Arc;

use globset::GlobMatcher;

use super::{
    known::{KnownEntry, id_pattern},
    model::{Case, Combination, Scenario},
    words::Api,
};

/// Returns one case for each combination of the scenario's matrix, in the order of the file.
pub fn expand(scenario: &Arc<Scenario>) -> Vec<Case> {
    scenario
        .matrix
        .iter()
        .map(|combination| Case {
            id: case_id(&scenario.id, combination),
            scenario: Arc::clone(scenario),
            combination: *combination,
        })
        .collect()
}

/// The id of a case, such as `limits/rate-limit[stream]`.
///
/// Default values are left out, so that the ids of existing cases stay the same when a scenario's matrix
/// grows.
pub(crate) fn case_id(scenario: &str, combination: &Combination) -> String {
    let mut parts = Vec::new();
    if combination.provider != combination.api.native_provider() {
        parts.push(combination.provider.as_str());
    }
    if combination.api != Api::OpenaiChat {
        parts.push(combination.api.as_str());
    }
    if combination.stream {
        parts.push("stream");
    }
    if parts.is_empty() { scenario.to_owned() } else { format!("{scenario}[{}]", parts.join(",")) }
}

impl KnownEntry {
    /// The cases among `cases` that the entry names.
    pub(crate) fn select<'c>(&self, cases: &'c [Case]) -> Vec<&'c Case> {
        let compiled = self.cases.as_ref().map(|patterns| {
            patterns.iter().filter_map(|pattern| id_pattern(pattern).ok()).collect::<Vec<GlobMatcher>>()
        });
        let is_named = |case: &&Case| {
            compiled.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.is_match(&case.id)))
        };
        cases.iter().filter(is_named).collect()
    }
}
