//! For each rule, an observation in which it holds and one that breaks it.

use super::{
    answers, codings, conduct, details, expectations, held_back, invalid_requests, leaving, own, passthrough,
    process, responses, seen::ObservationBuilder, sessions, transport,
};
use crate::judge::{self, Policy};

/// A rule, an observation in which it holds, and one that breaks it.
pub(super) type RuleExample = (&'static str, ObservationBuilder, ObservationBuilder);

#[test]
fn each_rule_holds_in_one_observation_and_is_broken_in_another() {
    let policy = Policy::default();
    let examples: Vec<RuleExample> = [
        answers::examples(),
        transport::examples(),
        held_back::examples(),
        conduct::examples(),
        codings::examples(),
        passthrough::examples(),
        leaving::examples(),
        invalid_requests::examples(),
        own::examples(),
        process::examples(),
        sessions::examples(),
        details::examples(),
        responses::examples(),
        expectations::examples(),
    ]
    .concat();
    for (rule, holds, breaks) in &examples {
        let broken = |seen: &ObservationBuilder| {
            judge::judge(&seen.observation, &[], &policy).into_iter().find(|finding| finding.rule == *rule)
        };
        assert_eq!(broken(holds), None, "{rule} holds");
        assert!(
            judge::applicable(&holds.observation, &[], &policy).contains(rule),
            "{rule} applies to the example in which it holds"
        );
        let finding = broken(breaks).unwrap_or_else(|| panic!("{rule} is broken by {breaks:#?}"));
        assert!(!finding.evidence.is_empty() && !finding.expected.is_empty() && !finding.observed.is_empty());
    }
    let without: Vec<&str> = judge::rules()
        .map(|rule| rule.id)
        // The rules that compare siblings have their own examples.
        .filter(|id| judge::kin_of(id).is_none())
        .filter(|id| examples.iter().all(|(rule, ..)| rule != id))
        .collect();
    assert!(without.is_empty(), "no example for {without:?}");
}

#[test]
fn a_rule_that_the_scenario_lifts_makes_no_finding() {
    let (rule, _, breaks) = answers::examples().swap_remove(0);
    let lifted = breaks.set(|arrangement| {
        arrangement.except.insert(rule.to_owned(), "why".to_owned());
    });
    let findings = judge::judge(&lifted.observation, &[], &Policy::default());
    assert!(findings.iter().all(|finding| finding.rule != rule));
}
