//! Scenarios that do what a bundled one does.

use super::context::LintContext;
use crate::scenario::{Expect, Scenario};

pub(super) fn find(scenario: &Scenario, context: &LintContext) -> Vec<String> {
    let is_same = |other: &&std::sync::Arc<Scenario>| {
        let covers = scenario.matrix.iter().all(|combination| other.matrix.contains(combination));
        covers
            && other.id != scenario.id
            && (scenario.expect == Expect::default() || scenario.expect == other.expect)
            && (
                &other.deployments,
                other.transport,
                &other.account,
                &other.proxy,
                &other.steps,
                &other.except,
            ) == (
                &scenario.deployments,
                scenario.transport,
                &scenario.account,
                &scenario.proxy,
                &scenario.steps,
                &scenario.except,
            )
    };
    let same = context.bundled.iter().find(is_same);
    same.map(|other| format!("the bundled scenario {} has the same calls, turns and settings", other.id))
        .into_iter()
        .collect()
}
