//! What the checks compare a scenario with.

use std::sync::Arc;

use crate::{
    proxy::Definition,
    scenario::{Library, Scenario},
};

/// What the checks compare a scenario with.
pub(crate) struct LintContext {
    /// The bundled scenarios.
    pub bundled: Vec<Arc<Scenario>>,
    /// The bundled definitions of gateways.
    pub gateways: Vec<Definition>,
}

impl LintContext {
    /// Reads what is inside the binary.
    pub(crate) fn bundled() -> Self {
        let here = std::path::Path::new(".");
        let found =
            Definition::bundled().into_iter().filter_map(|one| Definition::find(&one.name, here).ok());
        Self { bundled: Library::bundled().scenarios, gateways: found.collect() }
    }
}
