//! The findings of a case under a policy, compared with those under the default policy.
//!
//! Snapshots contain the findings of the default policy, so that they do not depend on the policy of a run.
//! Additional findings name the policy answers that cause them.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    contract::judge,
    finding::Finding,
    policy::{Policy, PolicyAnswer},
};
use crate::{
    observation::Observation,
    scenario::{Level, SiblingKind},
};

/// A sibling that a case is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ComparedSibling<'a> {
    /// How the two differ.
    pub kin: SiblingKind,
    /// Its observation; `None` if it did not run or could not be judged.
    pub seen: Option<&'a Observation>,
}

/// The judgement of a case by a policy and by the default policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The findings under the policy. If the default policy does not make a finding, or makes it at a weaker level,
    /// its `policy` contains the answers that cause it, and its evidence contains their reasons.
    pub findings: Vec<Finding>,
    /// The findings under the default policy.
    pub by_default: Vec<Finding>,
    /// The rules for which the policy makes weaker findings, or none.
    pub eased: Vec<PolicyEffect>,
}

/// The effect of a policy on the findings of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct PolicyEffect {
    /// The rule's id.
    pub rule: String,
    /// The policy answers that cause the difference.
    pub answers: Vec<PolicyAnswer>,
}

/// Judges a case, including the comparison with those siblings that have an observation. Pure.
pub(crate) fn judge_by(
    observation: &Observation,
    siblings: &[ComparedSibling<'_>],
    policy: &Policy,
) -> Judgement {
    let seen: Vec<&Observation> = siblings.iter().filter_map(|sibling| sibling.seen).collect();
    let by = |policy: &Policy| judge(observation, &seen, policy);
    let default = Policy::default();
    let by_default = by(&default);
    if *policy == default {
        return Judgement { findings: by_default.clone(), by_default, eased: Vec::new() };
    }
    let mut findings = by(policy);
    let eased = eased(&findings, &by_default, policy, &by);
    for finding in &mut findings {
        let usual = strongest(&by_default, &finding.rule);
        // Stricter levels are smaller.
        if usual.is_none_or(|usual| finding.level < usual) {
            let level = Some(finding.level);
            let (answers, reasons) = deciding_answers(&finding.rule, level, policy, &by);
            finding.evidence.extend(reasons);
            finding.policy = answers;
        }
    }
    Judgement { findings, by_default, eased }
}

fn eased(
    findings: &[Finding],
    by_default: &[Finding],
    policy: &Policy,
    by: &impl Fn(&Policy) -> Vec<Finding>,
) -> Vec<PolicyEffect> {
    let mut eased: Vec<PolicyEffect> = Vec::new();
    for Finding { rule, level, .. } in by_default {
        let now = strongest(findings, rule);
        if now.is_some_and(|now| now <= *level) || eased.iter().any(|one| one.rule == *rule) {
            continue;
        }
        let (answers, _) = deciding_answers(rule, now, policy, by);
        eased.push(PolicyEffect { rule: rule.clone(), answers });
    }
    eased
}

/// The answers that decide the level of the rule's strictest finding: without one of them, it would not be `level`.
/// If no single answer decides, all that the rule uses. Also returns a line of evidence for each answer.
fn deciding_answers(
    rule: &str,
    level: Option<Level>,
    policy: &Policy,
    by: &impl Fn(&Policy) -> Vec<Finding>,
) -> (Vec<PolicyAnswer>, Vec<String>) {
    let candidates = policy.own_answers(rule);
    let decides = |without: &Policy| strongest(&by(without), rule) != level;
    let deciding: Vec<bool> =
        candidates.iter().map(|(.., without)| candidates.len() == 1 || decides(without)).collect();
    let any = deciding.contains(&true);
    let chosen = candidates.into_iter().zip(deciding).filter(|(_, decides)| *decides || !any);
    chosen
        .map(|((answer, reason, _), _)| {
            let line = format!("{answer} ({}): {reason}", policy.name);
            (answer, line.trim_end_matches([':', ' ']).to_owned())
        })
        .unzip()
}

fn strongest(findings: &[Finding], rule: &str) -> Option<Level> {
    findings.iter().filter(|finding| finding.rule == rule).map(|finding| finding.level).min()
}
