//! Scenarios with a fallback, for other providers than those of their files.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    expand::expand,
    load::{Library, load_text},
    model::{Case, Scenario},
    words::{Api, Provider},
};

/// Finds the scenarios with a fallback that also make sense with other providers.
pub(crate) struct Retargeting<'l> {
    library: &'l Library,
    /// What was found for a scenario and a provider.
    known: Vec<((String, Provider), Option<Arc<Scenario>>)>,
}

impl<'l> Retargeting<'l> {
    /// Reads the scenarios of `library`.
    pub(crate) fn new(library: &'l Library) -> Self {
        Self { library, known: Vec::new() }
    }

    /// Whether the fallbacks of a scenario can have these providers, in this order. True for a scenario without fallbacks.
    pub(crate) fn fits(&mut self, scenario: &Scenario, providers: &[Provider]) -> bool {
        let needed = scenario.proxy.fallback.len().saturating_sub(1);
        let own = scenario.matrix.first().map(|combination| combination.provider);
        let others: Vec<Provider> =
            providers.iter().take(needed).copied().filter(|provider| Some(*provider) != own).collect();
        others.into_iter().all(|provider| self.of(&scenario.id, provider).is_some())
    }

    /// The cases of all scenarios with a fallback that are written for the default provider, with this one as the first of
    /// the chain and these as its fallbacks.
    pub(crate) fn chains(&mut self, provider: Provider, fallbacks: &[Provider]) -> Vec<Case> {
        let default = Api::OpenaiChat.native_provider();
        let written_for_default = |scenario: &&Arc<Scenario>| {
            provider != default
                && !scenario.proxy.fallback.is_empty()
                && scenario.matrix.iter().all(|combination| combination.provider == default)
        };
        let scenarios: Vec<Arc<Scenario>> =
            self.library.scenarios.iter().filter(written_for_default).cloned().collect();
        let mut cases = Vec::new();
        for scenario in scenarios {
            let fits = self.fits(&scenario, fallbacks);
            if let Some(own) = self.of(&scenario.id, provider).filter(|_| fits) {
                cases.extend(expand(&own));
            }
        }
        cases
    }

    /// The scenario with another provider, if it is valid with it.
    fn of(&mut self, id: &str, provider: Provider) -> Option<Arc<Scenario>> {
        let key = (id.to_owned(), provider);
        if let Some((_, known)) = self.known.iter().find(|(known, _)| *known == key) {
            return known.clone();
        }
        let found = self.load(id, provider).map(Arc::new);
        self.known.push((key, found.clone()));
        found
    }

    fn load(&self, id: &str, provider: Provider) -> Option<Scenario> {
        let original = self.library.scenarios.iter().find(|scenario| scenario.id == id)?;
        let mut file: Value = serde_saphyr::from_str(&self.library.text(id)).ok()?;
        let members = file.as_object_mut()?;
        let matrix = members.entry("matrix").or_insert_with(|| json!({}));
        matrix.as_object_mut()?.insert("provider".to_owned(), json!([provider]));
        // JSON is YAML too.
        let scenario = load_text(id, &original.file, &file.to_string()).ok()?;
        Some(Scenario { line: original.line, ..scenario })
    }
}
