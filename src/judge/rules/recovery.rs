//! Whether a route is well again when its upstream is.

use crate::{
    judge::{
        facts::Facts,
        rule::{Rule, RuleOutcome},
    },
    observation::StepName,
    scenario::Level,
};

pub const RULES: &[Rule] = &[Rule {
    id: "recovery.next-request-ok",
    level: Level::Required,
    title: "After a failure the next request on the same route succeeds",
    reason: "A failure that poisons a pool, a breaker or a cache outlives its cause.",
    references: &["sgl-project/sglang#25811"],
    timing: true,
    check: next_request_ok,
}];

fn next_request_ok(facts: &Facts<'_>) -> RuleOutcome {
    // A cooldown that was asked for keeps the route closed for a while: that is its purpose.
    if facts.exchange.step != StepName::Recovery || facts.arrangement.proxy.cooldown.is_some() {
        return RuleOutcome::NotApplicable;
    }
    RuleOutcome::check(facts.response.looks_successful(), || {
        ("a success: every upstream was well again".to_owned(), facts.response.describe())
    })
}
