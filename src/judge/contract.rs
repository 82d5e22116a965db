//! The contract: all rules, and the judgement of a case by them.

use super::{
    comparison::{compared_calls, in_the_tokens_of},
    facts::Facts,
    finding::Finding,
    pair::SiblingPair,
    policy::{Policy, Weight},
    rule::{Rule, RuleOutcome},
    rules::{FAMILIES, SAME_FACTS},
    scope::{Circumstance, Subject},
};
use crate::{
    observation::Observation,
    scenario::{Level, SiblingKind},
};

/// Every rule, in the order in which a report lists findings.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    FAMILIES.iter().copied().flatten()
}

/// The rule with this id.
pub fn rule(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// The findings of a case, including those from comparing it with `siblings`. Pure: the same observations give the same
/// findings.
pub(crate) fn judge(observation: &Observation, siblings: &[&Observation], policy: &Policy) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let lifted = &observation.arrangement.except;
    let siblings = in_the_tokens_of(observation, siblings);
    for facts in calls(observation, &siblings, policy) {
        for (rule, under_policy, outcome) in outcomes(&facts) {
            let RuleOutcome::Broken(breach) = outcome else { continue };
            if lifted.contains_key(rule.id) {
                continue;
            }
            // One finding per rule and case, with the first call that breaks the rule as evidence.
            if let Some(finding) = findings.iter_mut().find(|finding| finding.rule == rule.id) {
                let line = format!("also broken in {}: {}", facts.exchange.step, breach.observed);
                finding.evidence.extend(facts.sibling.is_none().then_some(line));
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
                repeats: None,
            });
        }
    }
    let order = |finding: &Finding| rules().position(|rule| rule.id == finding.rule);
    findings.sort_by_key(order);
    for n in 0..findings.len() {
        findings[n].repeats = repeated(&findings[n], &findings);
    }
    findings
}

/// The rule that is broken by the same facts as an expectation and at least as binding, if there is one.
fn repeated(finding: &Finding, all: &[Finding]) -> Option<String> {
    let (_, families) = SAME_FACTS.iter().find(|(rule, _)| *rule == finding.rule)?;
    let is_same = |other: &&Finding| {
        other.level <= finding.level && families.iter().any(|family| other.rule.starts_with(family))
    };
    all.iter().find(is_same).map(|other| other.rule.clone())
}

/// The rules that apply to a case and its comparison with `siblings`, whether or not the proxy keeps them.
pub fn applicable(
    observation: &Observation,
    siblings: &[&Observation],
    policy: &Policy,
) -> Vec<&'static str> {
    let siblings = in_the_tokens_of(observation, siblings);
    let mut applied = Vec::new();
    for facts in calls(observation, &siblings, policy) {
        applied.extend(outcomes(&facts).map(|(rule, ..)| rule.id));
    }
    rules().map(|rule| rule.id).filter(|id| applied.contains(id)).collect()
}

/// Every call of a case; and again, with the call of the sibling, for each sibling that it is compared with.
fn calls<'a>(
    observation: &'a Observation,
    siblings: &'a [Observation],
    policy: &'a Policy,
) -> impl Iterator<Item = Facts<'a>> {
    let own = observation.exchanges.iter().map(|exchange| Facts::of(observation, exchange, policy));
    own.chain(siblings.iter().flat_map(|sibling| compared_calls(observation, sibling, policy)))
}

/// The outcome of each rule that applies to a call, with the level of the rule under the policy.
fn outcomes(facts: &Facts<'_>) -> impl Iterator<Item = (&'static Rule, Level, RuleOutcome)> {
    let in_scope = rules().filter(|rule| rule.scope.includes(facts));
    in_scope
        .filter_map(|rule| by_author(rule, under_policy(rule, facts.policy)?, (rule.check)(facts)?, facts))
}

/// The outcome, at another level and with another evidence if the provider wrote the response that breaks the rule.
fn by_author(
    rule: &'static Rule,
    level: Level,
    outcome: RuleOutcome,
    facts: &Facts<'_>,
) -> Option<(&'static Rule, Level, RuleOutcome)> {
    let RuleOutcome::Broken(mut breach) = outcome else { return Some((rule, level, outcome)) };
    let Some(attempt) = facts.mirrored().filter(|_| facts.policy.uses_mirrored(rule.id)) else {
        return Some((rule, level, RuleOutcome::Broken(breach)));
    };
    let level = level.weaker(facts.policy.mirrored.answer.level()?);
    breach
        .evidence
        .push(format!("the provider wrote this response: it is byte for byte that of {}", attempt.name()));
    Some((rule, level, RuleOutcome::Broken(breach)))
}

/// The evidence that every finding contains: attempts, response, and whether the caller left.
fn evidence(facts: &Facts<'_>) -> Vec<String> {
    let mut lines = facts.attempt_lines();
    lines.push(format!("{}: the caller got {}", facts.exchange.step, facts.response.describe()));
    lines.extend(facts.left.map(|left| {
        let (left_ms, gone_ms) = (left.at_ms, facts.exchange.end_ms);
        format!("the caller {} at {left_ms:.0} ms, and was gone at {gone_ms:.0} ms", left.how)
    }));
    lines.extend(SiblingPair::of(facts).iter().flat_map(SiblingPair::evidence));
    lines
}

/// The level of a finding. Expectations of the scenario have the level of the scenario; for other rules it is an
/// upper limit. It does not limit rules about the proxy as a whole, because stopping the proxy harms all callers.
fn level(rule: &Rule, own: Level, scenario: Level) -> Level {
    match rule.scope.subject {
        Subject::Proxy => own,
        Subject::Expectation => scenario,
        Subject::Call | Subject::Siblings(_) => own.weaker(scenario),
    }
}

/// The level of a rule under a policy; `None` if the policy lifts the rule.
fn under_policy(rule: &Rule, policy: &Policy) -> Option<Level> {
    policy.weight(rule.id).map_or(Some(rule.level), Weight::level)
}

/// Which siblings a rule compares; `None` for a rule that judges a case alone.
pub(crate) fn kin_of(id: &str) -> Option<SiblingKind> {
    match rule(id)?.scope.subject {
        Subject::Siblings(kin) => Some(kin),
        _ => None,
    }
}

/// Whether a rule can apply to a case on a pass-through route (`passes_through`), and to one in which the proxy sends the 200
/// of a stream before it asks an upstream (`answers_early`).
pub fn can_apply(id: &str, passes_through: bool, answers_early: bool) -> bool {
    let allows = |is_given: bool, circumstance| {
        !is_given || rule(id).is_some_and(|rule| rule.scope.allows(circumstance))
    };
    allows(passes_through, Circumstance::PassThrough) && allows(answers_early, Circumstance::Pinged)
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
