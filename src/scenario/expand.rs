//! Expansion of a scenario into its cases, and the cases that a known finding names.

use std::sync::Arc;

use globset::GlobMatcher;

use super::{
    known::{KnownEntry, id_pattern},
    model::{Case, Combination, Scenario},
    own_model::OwnModel,
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
            own: None,
        })
        .collect()
}

/// What comes between the id of a case and the model of a user's own configuration with which it runs.
const OF_MODEL: char = '@';

impl Case {
    /// Returns the case for a model of a user's own configuration: `limits/rate-limit[azure]@gpt-4o`.
    pub(crate) fn of_own(&self, own: &Arc<OwnModel>) -> Self {
        let own = Some(Arc::clone(own));
        Self { id: id_of(&self.scenario.id, &self.combination, own.as_deref()), own, ..self.clone() }
    }
}

/// The name of the model of a user's own configuration in the id of a case.
pub(crate) fn own_model_of(id: &str) -> Option<&str> {
    id.split_once(OF_MODEL).map(|(_, model)| model)
}

/// Whether `id` is the id of a case of this scenario with this combination, with any model.
pub(super) fn is_id_of(id: &str, scenario: &str, combination: &Combination) -> bool {
    let rest = id.strip_prefix(case_id(scenario, combination).as_str());
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(OF_MODEL))
}

/// The id of a case with a model of a user's own configuration, if it has one.
pub(super) fn id_of(scenario: &str, combination: &Combination, own: Option<&OwnModel>) -> String {
    let id = case_id(scenario, combination);
    own.map_or_else(|| id.clone(), |own| format!("{id}{OF_MODEL}{}", own.name))
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
