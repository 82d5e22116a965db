//! Compares a case with its accepted snapshot. Pure.

use std::collections::BTreeSet;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use similar::TextDiff;

use super::format::CaseSnapshot;
use crate::judge::{PolicyAnswer, PolicyEffect};

/// Number of unchanged lines before and after each change in a diff.
const CONTEXT: usize = 2;

/// How a case differs from its accepted snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Difference {
    /// Rules with findings that the snapshot does not contain, once for each new finding.
    pub new_findings: Vec<String>,
    /// Rules with findings in the snapshot that are no longer broken, once for each missing finding.
    pub vanished_findings: Vec<String>,
    /// Broken rules that only the current policy requires, and whose findings were not accepted under such a policy.
    /// They fail the case, but are not a change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enforced: Vec<PolicyEffect>,
    /// Rules with findings in the snapshot that are still broken, but that the current policy reports at a lower level or
    /// not at all. They are not a change either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub eased: Vec<PolicyEffect>,
    /// A unified diff of the normalised observation; empty if it did not change.
    pub diff: String,
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        !self.is_change() && self.enforced.is_empty() && self.eased.is_empty()
    }

    /// Whether the observed behaviour differs, and not only its judgement by the policy.
    pub fn is_change(&self) -> bool {
        !self.new_findings.is_empty() || !self.vanished_findings.is_empty() || !self.diff.is_empty()
    }

    /// Whether the observed behaviour differs in more than the new findings of certain rules.
    pub(super) fn is_change_without(&self, is_ignored: impl Fn(&str) -> bool) -> bool {
        let new = self.new_findings.iter().any(|rule| !is_ignored(rule));
        new || !self.vanished_findings.is_empty() || !self.diff.is_empty()
    }

    /// What kind of change it is. Cases that a new release of a proxy changes in the same way have the same kind, although
    /// their messages differ.
    pub(crate) fn kind(&self) -> DifferenceKind {
        let new = self.new_findings.iter().map(|rule| format!("new {rule}"));
        let vanished = self.vanished_findings.iter().map(|rule| format!("vanished {rule}"));
        let lines = self.diff.lines().filter(|line| line.starts_with(['+', '-']));
        DifferenceKind(new.chain(vanished).chain(lines.map(part)).collect())
    }

    /// Whether the findings of a rule are new, because of the observed behaviour or because of the current policy.
    pub fn is_new(&self, rule: &str) -> bool {
        self.new_findings.iter().any(|new| new == rule) || self.enforced.iter().any(|one| one.rule == rule)
    }
}

/// The findings that are new or gone, and the parts of the observation that differ.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DifferenceKind(BTreeSet<String>);

/// Longer lines of a snapshot contain texts, such as messages, that differ between cases.
const LONGEST_PART: usize = 60;

/// The part of an observation that a line of a diff is about: a short line as it is, of a longer one only the name.
fn part(line: &str) -> String {
    let kept = match line.split_once(": ") {
        Some((name, _)) if line.len() > LONGEST_PART => name,
        _ => line,
    };
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether two snapshots of a case contain the same behaviour: the same text, and the same findings by the default
/// policy, counted by rule.
pub(super) fn same_behaviour(accepted: &CaseSnapshot, now: &CaseSnapshot) -> bool {
    let broken = |case: &CaseSnapshot| -> Vec<String> {
        let usual = case.findings.iter().filter(|line| line.policy.is_empty());
        usual.map(|line| line.rule.clone()).collect()
    };
    accepted.text == now.text && broken(accepted) == broken(now)
}

/// Whether two snapshots of a case contain the same behaviour and the same findings by other policies.
pub(super) fn same_for_every_policy(accepted: &CaseSnapshot, now: &CaseSnapshot) -> bool {
    let of_policies = |case: &CaseSnapshot| -> Vec<(String, Vec<PolicyAnswer>)> {
        let lines = case.findings.iter().filter(|line| !line.policy.is_empty());
        lines.map(|line| (line.rule.clone(), line.policy.clone())).collect()
    };
    same_behaviour(accepted, now) && of_policies(accepted) == of_policies(now)
}

/// A unified diff; empty if the two are equal.
pub(crate) fn diff(accepted: &str, now: &str) -> String {
    if accepted == now {
        return String::new();
    }
    let (accepted, now) = (format!("{accepted}\n"), format!("{now}\n"));
    TextDiff::from_lines(accepted.as_str(), now.as_str())
        .unified_diff()
        .context_radius(CONTEXT)
        .header("accepted", "now")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::{super::format::FindingLine, *};
    use crate::scenario::Level;

    fn case(text: &str, findings: Vec<FindingLine>) -> CaseSnapshot {
        CaseSnapshot::from_parts("a/b", text, findings)
    }

    #[test]
    fn a_kind_of_change_leaves_out_the_texts_but_not_the_statuses() {
        let kind = |accepted: &str, now: &str, new: &[&str]| {
            let new_findings = new.iter().map(|rule| (*rule).to_owned()).collect();
            Difference { new_findings, diff: diff(accepted, now), ..Difference::default() }.kind()
        };
        let message = |text: &str| format!("step 1: 500\n  \"message\": \"{text} {}\"", "words ".repeat(12));
        let one = kind(&message("a"), &message("b"), &[]);
        assert_eq!(one, kind(&message("c"), &message("d"), &[]));
        assert_ne!(one, kind(&message("a"), &message("b"), &["detail.message-kept"]));
        assert_ne!(one, kind("step 1: 500", "step 1: 502", &[]));
        assert_ne!(kind("step 1: 500", "step 1: 502", &[]), kind("step 1: 500", "step 1: 200", &[]));
    }

    #[test]
    fn the_diff_shows_a_few_lines_around_the_change() {
        insta::assert_snapshot!(diff("1\n2\n3\nretry-after: 7\n5\n6\n7", "1\n2\n3\n5\n6\n7"), @r"
        --- accepted
        +++ now
        @@ -2,5 +2,4 @@
         2
         3
        -retry-after: 7
         5
         6
        ");
    }

    #[test]
    fn neither_the_wording_of_a_finding_nor_the_policy_changes_the_behaviour() {
        let line = |observed: &str, policy: &[(&str, &str)]| FindingLine {
            rule: "a.b".to_owned(),
            level: Level::Required,
            observed: observed.to_owned(),
            policy: policy
                .iter()
                .map(|(key, answer)| PolicyAnswer { key: (*key).to_owned(), answer: (*answer).to_owned() })
                .collect(),
        };
        let accepted = case("x", vec![line("one thing", &[])]);
        assert!(same_for_every_policy(&accepted, &case("x", vec![line("something else", &[])])));
        assert!(!same_behaviour(&accepted, &case("y", vec![line("one thing", &[])])));
        assert!(!same_behaviour(&accepted, &case("x", vec![])));
        let more = case("x", vec![line("one thing", &[]), line("one thing", &[("timeout", "504")])]);
        assert!(same_behaviour(&accepted, &more) && !same_for_every_policy(&accepted, &more));
    }
}
