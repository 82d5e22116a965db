//! The verdict of a case: the findings of the policy, compared with the accepted snapshot. Pure. Runs and stored reports
//! are judged by the same code.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    compare::Difference,
    format::{FindingLine, SnapshotFindings},
    known::{KnownClaim, KnownState, Occurrence, is_known, states},
};
use crate::{
    judge::{
        ComparedSibling, Finding, Judgement, Policy, PolicyEffect, Verdict, Weight, has_required, judge_by,
        kin_of, stops_the_proxy,
    },
    observation::Observation,
    scenario::Level,
};

/// The accepted snapshot of a case at the time of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Accepted {
    /// There is no accepted snapshot.
    Nothing,
    /// The findings in the accepted snapshot.
    Findings(Vec<FindingLine>),
}

/// The judgement of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaseVerdict {
    /// The verdict.
    pub verdict: Verdict,
    /// The findings of the current policy.
    pub findings: Vec<Finding>,
    /// The difference from the accepted snapshot; `None` if there is none.
    pub change: Option<Difference>,
    /// The findings that a new snapshot of the case would contain.
    pub to_hold: SnapshotFindings,
    /// The known findings that name the case, with their states.
    pub known: Vec<KnownClaim>,
    /// The required rules that fail the case because it breaks them: no accepted snapshot and no known finding contains that.
    pub unaccepted: Vec<String>,
}

/// Judges a case by `policy` and compares it with the accepted snapshot. `diff` is the difference between the accepted
/// text and that of `observation`, empty if there is none; `claims` are the known findings that name the case; `strict`
/// fails known findings.
///
/// Findings below `required` never fail a case by themselves. A difference that only the policy causes is never a change:
/// a finding that `policy` requires and the default policy does not is either accepted or fails the case, and a finding
/// that `policy` does not require is ignored.
pub(crate) fn judge_case(
    observation: &Observation,
    siblings: &[ComparedSibling<'_>],
    policy: &Policy,
    accepted: &Accepted,
    diff: &str,
    claims: &[KnownClaim],
    strict: bool,
) -> CaseVerdict {
    let Judgement { findings, by_default, mut eased } = judge_by(observation, siblings, policy);
    let required = |finding: &&Finding| finding.level == Level::Required;
    let is_found = |rule: &str, by: &[Finding]| by.iter().any(|finding| finding.rule == rule);
    // A rule that compares with a sibling that was not judged gives no result.
    let is_comparable = |rule: &str| {
        let kin = kin_of(rule);
        !siblings.iter().any(|sibling| Some(sibling.kin) == kin && sibling.seen.is_none())
    };
    let known = states(claims, |rule| match is_found(rule, &findings) {
        true => Occurrence::Broken,
        // Another policy may make the finding, and the other rules do not apply to a case that stops the proxy.
        false
            if is_found(rule, &by_default)
                || !is_comparable(rule)
                || (observation.stopped_the_proxy() && !stops_the_proxy(rule))
                || Policy::all()
                    .iter()
                    .any(|other| is_found(rule, &judge_by(observation, siblings, other).findings)) =>
        {
            Occurrence::Undecided
        }
        false => Occurrence::Kept,
    });
    let is_expired =
        |rule: &str| known.iter().any(|claim| claim.rule == rule && claim.state == KnownState::OutsideRange);
    // Only the required findings that are neither accepted nor explained fail the case.
    let unaccepted = |is_accepted: &dyn Fn(&str) -> bool| -> Vec<String> {
        let rules = findings.iter().filter(required).map(|finding| finding.rule.as_str());
        let mut rules: Vec<String> = rules
            .filter(|rule| !is_known(claims, rule) && (!is_accepted(rule) || is_expired(rule)))
            .map(str::to_owned)
            .collect();
        rules.dedup();
        rules
    };
    let is_wrong = known.iter().any(KnownClaim::is_wrong);
    let enforced: Vec<&Finding> =
        findings.iter().filter(required).filter(|finding| !finding.policy.is_empty()).collect();
    let Accepted::Findings(lines) = accepted else {
        let found = by_default.iter().chain(enforced).cloned().collect();
        let unaccepted = unaccepted(&|_| false);
        let verdict = match has_required(&findings) {
            _ if is_wrong || !unaccepted.is_empty() => Verdict::Fail,
            true if strict => Verdict::Fail,
            true => Verdict::Known,
            false => Verdict::Pass,
        };
        let to_hold = SnapshotFindings { found, kept: Vec::new() };
        return CaseVerdict { verdict, findings, change: None, to_hold, known, unaccepted };
    };
    let (usual, of_policies): (Vec<&FindingLine>, Vec<&FindingLine>) =
        lines.iter().partition(|line| line.policy.is_empty());

    // Differences in behaviour, in the rules that the current policy applies.
    let rules = |found: &[Finding]| found.iter().map(|finding| finding.rule.clone()).collect::<Vec<_>>();
    let held: Vec<String> = usual.iter().map(|line| line.rule.clone()).collect();
    let mut new_findings = missing_in(&held, &rules(&by_default));
    new_findings.retain(|rule| is_found(rule, &findings));
    let gone = missing_in(&rules(&by_default), &held);
    let is_gone = |rule: &&String| {
        let only_by_policy = is_found(rule, &findings) && !is_found(rule, &by_default);
        is_comparable(rule) && !only_by_policy && policy.weight(rule) != Some(Weight::Lifted)
    };
    let vanished_findings = gone.iter().filter(is_gone).cloned().collect();

    // Differences that only the current policy causes.
    let is_held = |rule: &str| lines.iter().any(|line| line.rule == rule && line.level == Level::Required);
    let mut not_held: Vec<PolicyEffect> = Vec::new();
    for finding in enforced.iter().filter(|finding| !is_held(&finding.rule)) {
        let effect = PolicyEffect { rule: finding.rule.clone(), answers: finding.policy.clone() };
        if !not_held.contains(&effect) {
            not_held.push(effect);
        }
    }
    eased.retain(|effect| held.contains(&effect.rule));
    let diff = diff.to_owned();
    let change = Difference { new_findings, vanished_findings, enforced: not_held, eased, diff };

    let mut to_hold = SnapshotFindings { found: enforced.into_iter().cloned().collect(), kept: Vec::new() };
    // If the text is unchanged, findings that were accepted under other policies still apply.
    let of_others = of_policies.into_iter().filter(|line| !is_found(&line.rule, &to_hold.found));
    if change.diff.is_empty() {
        to_hold.kept.extend(of_others.cloned());
    }
    // A known finding is explained by its entry, so the snapshot does not need it.
    if change.is_change_without(|rule| is_known(claims, rule)) {
        to_hold.found.extend(by_default);
        let not_compared =
            usual.iter().filter(|line| gone.contains(&line.rule) && !is_comparable(&line.rule));
        to_hold.kept.extend(not_compared.copied().cloned());
    } else {
        to_hold.kept.extend(usual.into_iter().cloned());
    }

    let unaccepted = unaccepted(&|rule| !change.is_new(rule));
    let verdict = if is_wrong || !unaccepted.is_empty() {
        Verdict::Fail
    } else if change.is_change_without(|rule| is_known(claims, rule)) {
        Verdict::Changed
    } else if !has_required(&findings) {
        Verdict::Pass
    } else if strict {
        Verdict::Fail
    } else {
        Verdict::Known
    };
    CaseVerdict { verdict, findings, change: Some(change), to_hold, known, unaccepted }
}

/// The rules of `these` without their counterparts in `held`; a rule that occurs several times needs as many counterparts.
fn missing_in(held: &[String], these: &[String]) -> Vec<String> {
    let mut held: Vec<&String> = held.iter().collect();
    let mut missing = Vec::new();
    for rule in these {
        match held.iter().position(|other| *other == rule) {
            Some(at) => {
                held.swap_remove(at);
            }
            None => missing.push(rule.clone()),
        }
    }
    missing
}

#[cfg(test)]
mod tests;
