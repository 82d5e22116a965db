//! What a policy finds in a case, compared with what the default policy finds.
//!
//! A snapshot holds the findings of the default policy, so that it means the same for every policy. What a
//! policy finds beyond them names the answers that make the difference.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    beside::judge_beside,
    finding::Finding,
    policy::{Policy, PolicyAnswer},
};
use crate::{
    observation::Observation,
    scenario::{Kin, Level},
};

/// A sibling that a case is compared with.
#[derive(Debug, Clone, Copy)]
pub struct ComparedSibling<'a> {
    /// In what the two differ.
    pub kin: Kin,
    /// What was seen of it; nothing if it was not run or could not be judged.
    pub seen: Option<&'a Observation>,
}

/// One case, judged by a policy and by the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// By the policy in force. A finding that the default policy does not make, or makes at a weaker
    /// level, has the answers behind it in `policy` and, with their reasons, in its evidence.
    pub findings: Vec<Finding>,
    /// By the default policy.
    pub by_default: Vec<Finding>,
    /// The rules of which the policy in force finds less than the default one.
    pub eased: Vec<PolicyEffect>,
}

/// What a policy does to the findings of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyEffect {
    /// The rule's id.
    pub rule: String,
    /// The answers by which the policy in force finds less than the default one.
    pub answers: Vec<PolicyAnswer>,
}

/// Everything that a case breaks by `policy`, alone and compared with those siblings that were seen. Pure.
pub fn judge_by(observation: &Observation, siblings: &[ComparedSibling<'_>], policy: &Policy) -> Judgement {
    let seen: Vec<&Observation> = siblings.iter().filter_map(|sibling| sibling.seen).collect();
    let by = |policy: &Policy| judge_beside(observation, &seen, policy);
    let default = Policy::default();
    let by_default = by(&default);
    if *policy == default {
        return Judgement { findings: by_default.clone(), by_default, eased: Vec::new() };
    }
    let mut findings = by(policy);
    let eased = eased(&findings, &by_default, policy, &by);
    for finding in &mut findings {
        let usual = strongest(&by_default, &finding.rule);
        // A stronger level is the lesser one.
        if usual.is_none_or(|usual| finding.level < usual) {
            let level = Some(finding.level);
            let (answers, reasons) = behind(&finding.rule, level, policy, &by);
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
        let (answers, _) = behind(rule, now, policy, by);
        eased.push(PolicyEffect { rule: rule.clone(), answers });
    }
    eased
}

/// The answers without any one of which the rule's strongest finding would have another level than `level`
/// (or all that it goes by, if no single one decides), and a line of evidence for each.
fn behind(
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
