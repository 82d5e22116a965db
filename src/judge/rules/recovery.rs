//! Whether a route works again as soon as its upstream does.

use crate::{
    judge::{
        facts::Facts,
        rule::{Rule, RuleOutcome},
        scope::{PassThrough, Recovery, Scope, WithCooldown},
    },
    scenario::Level,
};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "recovery.next-request-ok",
    level: Level::Required,
    title: "After a failure the next request on the same route succeeds",
    reason: "A failure that corrupts a connection pool, a circuit breaker or a cache outlives its cause.",
    references: &["sgl-project/sglang#25811"],
    timing: true,
    // A configured cooldown keeps the route closed for a while, as intended.
    scope: Scope::CALLS.only(&[Recovery]).also(&[PassThrough]).never(&[WithCooldown]),
    check: next_request_ok,
}];

fn next_request_ok(facts: &Facts<'_>) -> Option<RuleOutcome> {
    RuleOutcome::check(facts.response.looks_successful(), || {
        ("a success: every upstream was healthy again".to_owned(), facts.response.describe())
    })
}
