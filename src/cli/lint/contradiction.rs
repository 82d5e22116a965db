//! Expectations that no gateway can meet without breaking the contract.

use super::{context::LintContext, turns::most_attempts};
use crate::scenario::{Attempts, EndingExpect, Expect, Scenario, StatusPattern, Turn, TurnReply};

pub(super) fn find(scenario: &Scenario, _: &LintContext) -> Vec<String> {
    let Expect { status, ending, finish, attempts, .. } = &scenario.expect;
    let class = |pattern: &StatusPattern| match pattern {
        StatusPattern::Exactly(status) => status / 100,
        StatusPattern::Class(class) => u16::from(*class),
    };
    let all_of = |classes: &[u16]| {
        status.as_ref().is_some_and(|set| set.0.iter().all(|pattern| classes.contains(&class(pattern))))
    };
    let success = all_of(&[2]) || *ending == Some(EndingExpect::Success) || finish.is_some();
    let failure = all_of(&[4, 5]) || ending.is_some_and(|ending| ending != EndingExpect::Success);
    // A stream begins with a 200 before it fails, and a caller that leaves, or whose request is invalid, decides the response itself.
    let is_usual = scenario.steps.iter().all(|step| step.leave.is_none() && step.mistake.is_none());
    let stream = scenario.matrix.iter().any(|one| one.stream || one.api.is_session());
    let turns = || scenario.deployments.values().flatten();
    let mut lines = Vec::new();
    if is_usual && turns().all(fails) && success && (!stream || *ending == Some(EndingExpect::Success)) {
        lines.push("every upstream fails, and `expect` demands a success".to_owned());
    }
    if is_usual && scenario.account.is_none() && turns().all(succeeds) && failure {
        lines.push("every upstream succeeds, and `expect` demands a failure".to_owned());
    }
    let wanted = match attempts {
        Some(Attempts::Total(wanted)) => Some(*wanted),
        Some(Attempts::Each(each)) => each.values().copied().max(),
        None => None,
    };
    if let (Some(wanted), Some(most)) = (wanted, most_attempts(scenario))
        && wanted > most
    {
        lines.push(format!("at most {most} attempts are allowed, and `expect` demands {wanted}"));
    }
    lines
}

/// Whether a turn is an error of the provider, without a fault that could change that.
fn fails(turn: &Turn) -> bool {
    match &turn.answer {
        TurnReply::Error(_) => true,
        TurnReply::Literal { status, .. } => *status >= 400,
        TurnReply::Reply(_) => turn.faults.iter().any(|fault| fault.prevents_replies()),
    }
}

fn succeeds(turn: &Turn) -> bool {
    matches!(turn.answer, TurnReply::Reply(_)) && turn.faults.is_empty()
}
