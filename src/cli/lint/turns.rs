//! Turns that are never played.

use super::context::LintContext;
use crate::scenario::{LeavePoint, Scenario};

/// The most attempts that the steps of a scenario may cause at its only deployment; `None` if that is not known.
pub(super) fn most_attempts(scenario: &Scenario) -> Option<u32> {
    let is_alone = scenario.deployments.len() == 1 && scenario.account.is_none();
    let steps = u32::try_from(scenario.steps.len()).ok()?;
    is_alone.then(|| steps.saturating_mul(scenario.proxy.retries + 1))
}

pub(super) fn not_reached(scenario: &Scenario, _: &LintContext) -> Vec<String> {
    let Some(most) = most_attempts(scenario) else { return Vec::new() };
    // A caller that leaves at once may have asked before or after the next turn.
    if scenario.steps.iter().any(|step| step.leave.is_some_and(|leave| leave.at == LeavePoint::BeforeHeaders))
    {
        return Vec::new();
    }
    let turns = scenario
        .deployments
        .iter()
        .flat_map(|(name, turns)| (1_u32..).zip(turns).map(move |(n, _)| (name, n)));
    let attempts = if most == 1 { "attempt" } else { "attempts" };
    turns
        .filter(|(_, n)| *n > most)
        .map(|(name, n)| format!("{name}, turn {n}: only {most} {attempts} can reach it"))
        .collect()
}
