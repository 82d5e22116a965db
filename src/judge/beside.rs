//! The judging of a case beside its siblings.

use super::{
    contract::{evidence, judge, level, rules, under_policy},
    facts::Facts,
    finding::Finding,
    pair::{Pair, in_the_tokens_of},
    policy::Policy,
    rule::{Outcome, SiblingRule},
    rules::SIBLINGS,
};
use crate::{observation::Observation, scenario::Kin};

/// Everything that one case breaks, alone and beside those of its siblings that are there.
pub fn judge_beside(observation: &Observation, siblings: &[&Observation], policy: &Policy) -> Vec<Finding> {
    let mut findings = judge(observation, policy);
    for sibling in siblings {
        findings.extend(compare_siblings(observation, sibling, policy));
    }
    let order = |finding: &Finding| rules().position(|rule| rule.id == finding.rule);
    findings.sort_by_key(order);
    findings
}

/// What a case breaks as it is held against one sibling. Pure, as [`judge`] is.
pub fn compare_siblings(observation: &Observation, sibling: &Observation, policy: &Policy) -> Vec<Finding> {
    // What was seen of a case that stopped the proxy says nothing about how it answers.
    if observation.stopped_the_proxy() || sibling.stopped_the_proxy() {
        return Vec::new();
    }
    let sibling = in_the_tokens_of(observation, sibling);
    let lifted = &observation.arrangement.except;
    let mut findings: Vec<Finding> = Vec::new();
    for pair in Pair::of(observation, &sibling, policy) {
        for SiblingRule { rule, compare, .. } in
            of_kin(pair.kin).filter(|one| !lifted.contains_key(one.rule.id))
        {
            let Some(under_policy) = under_policy(rule, policy) else { continue };
            let Outcome::Broken(breach) = compare(&pair) else { continue };
            if findings.iter().any(|finding| finding.rule == rule.id) {
                continue;
            }
            let mut lines = evidence(&pair.own);
            lines.extend(pair.evidence());
            lines.extend(breach.evidence);
            findings.push(Finding {
                rule: rule.id.to_owned(),
                level: level(rule, under_policy, observation.arrangement.level),
                expected: breach.expected,
                observed: breach.observed,
                evidence: lines,
                policy: Vec::new(),
            });
        }
    }
    findings
}

/// The rules that speak of a case and this sibling at all, whether they hold or not.
pub fn applicable_beside(
    observation: &Observation,
    sibling: &Observation,
    policy: &Policy,
) -> Vec<&'static str> {
    let sibling = in_the_tokens_of(observation, sibling);
    let pairs = Pair::of(observation, &sibling, policy);
    let speaks = |one: &&SiblingRule| {
        under_policy(&one.rule, policy).is_some()
            && pairs.iter().any(|pair| pair.kin == one.kin && (one.compare)(pair) != Outcome::NotApplicable)
    };
    SIBLINGS.iter().filter(speaks).map(|one| one.rule.id).collect()
}

/// Which siblings a rule holds against each other; `None` for one that looks at a case alone.
pub fn kin_of(rule: &str) -> Option<Kin> {
    SIBLINGS.iter().find(|one| one.rule.id == rule).map(|one| one.kin)
}

fn of_kin(kin: Kin) -> impl Iterator<Item = &'static SiblingRule> {
    SIBLINGS.iter().filter(move |one| one.kin == kin)
}

/// What a rule on siblings says of a case alone.
pub(super) fn alone(_: &Facts<'_>) -> Outcome {
    Outcome::NotApplicable
}
