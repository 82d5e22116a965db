//! The comparison of a case with its siblings.

use super::{
    contract::{self, evidence, judge, level, rules, under_policy},
    facts::Facts,
    finding::Finding,
    pair::{SiblingPair, in_the_tokens_of},
    policy::Policy,
    rule::{RuleOutcome, SiblingRule},
    rules::SIBLINGS,
    scope::Subject,
};
use crate::{observation::Observation, scenario::SiblingKind};

/// The findings of a case, including those from comparing it with `siblings`.
pub(crate) fn judge_with_siblings(
    observation: &Observation,
    siblings: &[&Observation],
    policy: &Policy,
) -> Vec<Finding> {
    let mut findings = judge(observation, policy);
    for sibling in siblings {
        findings.extend(compare_siblings(observation, sibling, policy));
    }
    let order = |finding: &Finding| rules().position(|rule| rule.id == finding.rule);
    findings.sort_by_key(order);
    findings
}

/// The findings from comparing a case with one sibling. Pure.
pub(crate) fn compare_siblings(
    observation: &Observation,
    sibling: &Observation,
    policy: &Policy,
) -> Vec<Finding> {
    // A case that stopped the proxy does not show how the proxy answers.
    if observation.stopped_the_proxy() || sibling.stopped_the_proxy() {
        return Vec::new();
    }
    let sibling = in_the_tokens_of(observation, sibling);
    let lifted = &observation.arrangement.except;
    let mut findings: Vec<Finding> = Vec::new();
    for pair in SiblingPair::of(observation, &sibling, policy) {
        for SiblingRule { rule, compare } in of_kin(pair.kin).filter(|one| !lifted.contains_key(one.rule.id))
        {
            let Some(under_policy) = under_policy(rule, policy) else { continue };
            let Some(RuleOutcome::Broken(breach)) = compare(&pair) else { continue };
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

/// The rules that apply to a case and this sibling, whether or not the proxy keeps them.
pub fn applicable_to_siblings(
    observation: &Observation,
    sibling: &Observation,
    policy: &Policy,
) -> Vec<&'static str> {
    let sibling = in_the_tokens_of(observation, sibling);
    let pairs = SiblingPair::of(observation, &sibling, policy);
    let applies = |one: &&SiblingRule| {
        under_policy(&one.rule, policy).is_some()
            && pairs.iter().any(|pair| kin_of(one.rule.id) == Some(pair.kin) && (one.compare)(pair).is_some())
    };
    SIBLINGS.iter().filter(applies).map(|one| one.rule.id).collect()
}

/// Which siblings a rule compares; `None` for a rule that checks a single case.
pub(crate) fn kin_of(rule: &str) -> Option<SiblingKind> {
    match contract::rule(rule)?.scope.subject {
        Subject::Siblings(kin) => Some(kin),
        _ => None,
    }
}

fn of_kin(kin: SiblingKind) -> impl Iterator<Item = &'static SiblingRule> {
    SIBLINGS.iter().filter(move |one| one.rule.scope.subject == Subject::Siblings(kin))
}

/// The `check` of rules that compare siblings: it never applies.
pub(super) fn alone(_: &Facts<'_>) -> Option<RuleOutcome> {
    None
}
