//! The rules that any proxy must satisfy, and the judging of a case by them.

use super::{
    facts::Facts,
    finding::Finding,
    policy::{Policy, Weight},
    rule::{Outcome, Rule},
    rules::{DISCONNECT, EXPECT, FAMILIES, PROCESS, SIBLINGS, binds_a_pass_through},
};
use crate::{observation::Observation, scenario::Level};

/// Every rule, in the order in which a report lists findings.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().flat_map(|family| family.iter()).chain(SIBLINGS.iter().map(|sibling| &sibling.rule))
}

/// The rule of this id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// Everything that one case breaks. Pure: the same observation gives the same findings.
pub fn judge(observation: &Observation, policy: &Policy) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let lifted = &observation.arrangement.except;
    for exchange in &observation.exchanges {
        let facts = Facts::of(observation, exchange, policy);
        for rule in rules().filter(|rule| !lifted.contains_key(rule.id)) {
            let Some(under_policy) = under_policy(rule, policy) else { continue };
            let Outcome::Broken(breach) = check(rule, &facts) else { continue };
            // One finding a rule and case: the first exchange that breaks it is the evidence.
            if let Some(finding) = findings.iter_mut().find(|finding| finding.rule == rule.id) {
                finding.evidence.push(format!("broken too in {}: {}", exchange.step, breach.observed));
                continue;
            }
            let mut evidence = evidence(&facts);
            evidence.extend(breach.evidence);
            findings.push(Finding {
                rule: rule.id.to_owned(),
                level: level(rule, under_policy, observation.arrangement.level),
                expected: breach.expected,
                observed: breach.observed,
                evidence,
                policy: Vec::new(),
            });
        }
    }
    let order = |finding: &Finding| rules().position(|rule| rule.id == finding.rule);
    findings.sort_by_key(order);
    findings
}

/// What every finding shows of its exchange.
pub(super) fn evidence(facts: &Facts<'_>) -> Vec<String> {
    let mut lines = facts.attempt_lines();
    lines.push(format!("{}: the caller got {}", facts.exchange.step, facts.told.describe()));
    lines.extend(facts.left.map(|left| {
        let (left_ms, gone_ms) = (left.at_ms, facts.exchange.end_ms);
        format!("the caller {}: it did so at {left_ms:.0} ms, and was gone at {gone_ms:.0} ms", left.how)
    }));
    lines
}

/// What a rule says of an exchange. Of one whose caller left only the rules on that speak, and what
/// the scenario itself demands: what the caller would have got nobody knows. Of a case that stopped the
/// proxy only the rules on that speak: everything else is a consequence.
fn check(rule: &Rule, facts: &Facts<'_>) -> Outcome {
    if PROCESS.iter().any(|own| own.id == rule.id) {
        return (rule.check)(facts);
    }
    if facts.seen.stopped_the_proxy() {
        return Outcome::NotApplicable;
    }
    if facts.arrangement.proxy.pass_through && !binds_a_pass_through(rule.id) {
        return Outcome::NotApplicable;
    }
    let speaks = || [DISCONNECT, EXPECT].into_iter().flatten().any(|own| own.id == rule.id);
    if facts.left.is_some() && !speaks() { Outcome::NotApplicable } else { (rule.check)(facts) }
}

/// The rules that speak of a case at all, whether they hold or not.
pub fn applicable(observation: &Observation, policy: &Policy) -> Vec<&'static str> {
    let all: Vec<Facts<'_>> =
        observation.exchanges.iter().map(|exchange| Facts::of(observation, exchange, policy)).collect();
    rules()
        .filter(|rule| under_policy(rule, policy).is_some())
        .filter(|rule| all.iter().any(|facts| check(rule, facts) != Outcome::NotApplicable))
        .map(|rule| rule.id)
        .collect()
}

/// A scenario's own demands have the scenario's level; the contract's are never raised by it. What a case
/// does to the proxy as a whole does not weigh less because the scenario does: it harms everybody's calls.
pub(super) fn level(rule: &Rule, own: Level, scenario: Level) -> Level {
    if PROCESS.iter().any(|process| process.id == rule.id) {
        return own;
    }
    if EXPECT.iter().any(|own| own.id == rule.id) { scenario } else { own.weaker(scenario) }
}

/// The level of a rule where a policy has its own; none where the policy lifts it.
pub(super) fn under_policy(rule: &Rule, policy: &Policy) -> Option<Level> {
    policy.weight(rule.id).map_or(Some(rule.level), Weight::level)
}

/// Whether a rule is about a case that stopped the proxy.
pub fn stops_the_proxy(rule: &str) -> bool {
    matches!(rule, "process.keeps-running" | "process.keeps-answering")
}

/// Whether one of these findings fails a case.
pub fn has_required(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Required)
}

/// Whether one of these findings speaks of time.
pub fn has_timing(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| rule(&finding.rule).is_some_and(|rule| rule.timing))
}
