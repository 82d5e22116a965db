//! Each rule holds where it should, and is broken where it should be.

use super::{
    answers, below, conduct, demands, handed, leaving, mistakes, own, process, seen::ObservationBuilder,
    sessions, words,
};
use crate::judge::{self, Policy};

/// A rule, an observation in which it holds, and one that breaks it.
pub type RuleExample = (&'static str, ObservationBuilder, ObservationBuilder);

#[test]
fn each_rule_holds_in_one_observation_and_is_broken_in_another() {
    let policy = Policy::default();
    let proofs: Vec<RuleExample> = [
        answers::proofs(),
        below::proofs(),
        conduct::proofs(),
        handed::proofs(),
        leaving::proofs(),
        mistakes::proofs(),
        own::proofs(),
        process::proofs(),
        sessions::proofs(),
        words::proofs(),
        demands::proofs(),
    ]
    .concat();
    for (rule, holds, breaks) in &proofs {
        let broken = |seen: &ObservationBuilder| {
            judge::judge(&seen.observation, &policy).into_iter().find(|finding| finding.rule == *rule)
        };
        assert_eq!(broken(holds), None, "{rule} holds");
        assert!(judge::applicable(&holds.observation, &policy).contains(rule), "{rule} speaks of what holds");
        let finding = broken(breaks).unwrap_or_else(|| panic!("{rule} is broken by {breaks:#?}"));
        assert!(!finding.evidence.is_empty() && !finding.expected.is_empty() && !finding.observed.is_empty());
    }
    let without: Vec<&str> = judge::rules()
        .map(|rule| rule.id)
        // What holds a case against another one is proved by pairs.
        .filter(|id| judge::kin_of(id).is_none())
        .filter(|id| proofs.iter().all(|(proved, ..)| proved != id))
        .collect();
    assert!(without.is_empty(), "no observation proves {without:?}");
}

#[test]
fn a_rule_that_the_scenario_lifts_is_not_judged() {
    let (rule, _, breaks) = answers::proofs().swap_remove(0);
    let lifted = breaks.set(|arrangement| {
        arrangement.except.insert(rule.to_owned(), "why".to_owned());
    });
    let findings = judge::judge(&lifted.observation, &Policy::default());
    assert!(findings.iter().all(|finding| finding.rule != rule));
}
