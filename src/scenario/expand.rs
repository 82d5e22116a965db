//! Expansion of a scenario into its cases.

use std::sync::Arc;

use super::model::{Case, Combination, Scenario};

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
    if combination.api != super::Api::OpenaiChat {
        parts.push(combination.api.as_str());
    }
    if combination.stream {
        parts.push("stream");
    }
    if parts.is_empty() { scenario.to_owned() } else { format!("{scenario}[{}]", parts.join(",")) }
}
