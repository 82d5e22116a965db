//! The contract: all rules, and the judgement of a case by them.

use super::{
    facts::Facts,
    finding::Finding,
    policy::{Policy, Weight},
    rule::{Rule, RuleOutcome},
    rules::{FAMILIES, SIBLINGS},
    scope::{Circumstance, Subject},
};
use crate::{observation::Observation, scenario::Level};

/// Every rule, in the order in which a report lists findings.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().flat_map(|family| family.iter()).chain(SIBLINGS.iter().map(|sibling| &sibling.rule))
}

/// The rule with this id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// The findings of a case. Pure: the same observation gives the same findings.
pub(crate) fn judge(observation: &Observation, policy: &Policy) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let lifted = &observation.arrangement.except;
    for exchange in &observation.exchanges {
        let facts = Facts::of(observation, exchange, policy);
        for rule in rules().filter(|rule| !lifted.contains_key(rule.id)) {
            let Some(under_policy) = under_policy(rule, policy) else { continue };
            let Some(RuleOutcome::Broken(breach)) = check(rule, &facts) else { continue };
            // One finding per rule and case, with the first exchange that breaks the rule as evidence.
            if let Some(finding) = findings.iter_mut().find(|finding| finding.rule == rule.id) {
                finding.evidence.push(format!("also broken in {}: {}", exchange.step, breach.observed));
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

/// The evidence that every finding contains: attempts, response, and whether the caller left.
pub(super) fn evidence(facts: &Facts<'_>) -> Vec<String> {
    let mut lines = facts.attempt_lines();
    lines.push(format!("{}: the caller got {}", facts.exchange.step, facts.response.describe()));
    lines.extend(facts.left.map(|left| {
        let (left_ms, gone_ms) = (left.at_ms, facts.exchange.end_ms);
        format!("the caller {} at {left_ms:.0} ms, and was gone at {gone_ms:.0} ms", left.how)
    }));
    lines
}

/// Checks a rule; `None` if it does not apply.
fn check(rule: &Rule, facts: &Facts<'_>) -> Option<RuleOutcome> {
    if rule.scope.includes(facts) { (rule.check)(facts) } else { None }
}

/// The rules that apply to a case, whether or not the proxy keeps them.
pub fn applicable(observation: &Observation, policy: &Policy) -> Vec<&'static str> {
    let all: Vec<Facts<'_>> =
        observation.exchanges.iter().map(|exchange| Facts::of(observation, exchange, policy)).collect();
    rules()
        .filter(|rule| under_policy(rule, policy).is_some())
        .filter(|rule| all.iter().any(|facts| check(rule, facts).is_some()))
        .map(|rule| rule.id)
        .collect()
}

/// The level of a finding. Expectations of the scenario have the level of the scenario; for other rules it is an
/// upper limit. It does not limit rules about the proxy as a whole, because stopping the proxy harms all callers.
pub(super) fn level(rule: &Rule, own: Level, scenario: Level) -> Level {
    match rule.scope.subject {
        Subject::Proxy => own,
        Subject::Expectation => scenario,
        Subject::Call | Subject::Siblings(_) => own.weaker(scenario),
    }
}

/// The level of a rule under a policy; `None` if the policy lifts the rule.
pub(super) fn under_policy(rule: &Rule, policy: &Policy) -> Option<Level> {
    policy.weight(rule.id).map_or(Some(rule.level), Weight::level)
}

/// Whether a finding of this rule means that the case stopped the proxy.
pub(crate) fn stops_the_proxy(id: &str) -> bool {
    rule(id).is_some_and(|rule| rule.scope.allows(Circumstance::ProxyStopped))
}

/// Whether one of the findings fails a case.
pub fn has_required(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Required)
}

/// Whether one of the findings depends on timing.
pub(crate) fn has_timing(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| rule(&finding.rule).is_some_and(|rule| rule.timing))
}
