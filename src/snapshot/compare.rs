//! How a case stands to its accepted snapshot, and what is said of it. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use similar::TextDiff;

use super::format::{CaseSnapshot, FindingLine};
use crate::{
    judge::{Finding, Verdict},
    scenario::Level,
};

/// Lines of the old text around each change in a diff.
const CONTEXT: usize = 2;

/// How a case stands to its accepted snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// No snapshot of this case has been accepted.
    NoBaseline,
    /// There is one, and this is how the case differs (an empty difference: not at all).
    Against(Difference),
}

/// How a case differs from its accepted snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// Rules whose findings the snapshot does not hold; named as often as they are new.
    pub new_findings: Vec<String>,
    /// Rules whose findings the snapshot holds and that were not broken now.
    pub vanished_findings: Vec<String>,
    /// A unified diff of the normalised observation, empty where it did not change.
    pub diff: String,
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.new_findings.is_empty() && self.vanished_findings.is_empty() && self.diff.is_empty()
    }
}

/// Compares a case with its accepted snapshot: the text, and which rules are broken how often.
pub fn compare(accepted: Option<&CaseSnapshot>, now: &CaseSnapshot) -> Comparison {
    let Some(accepted) = accepted else {
        return Comparison::NoBaseline;
    };
    Comparison::Against(Difference {
        new_findings: missing_in(&accepted.findings, &now.findings),
        vanished_findings: missing_in(&now.findings, &accepted.findings),
        diff: diff(&accepted.text, &now.text),
    })
}

/// What is said of a case that ran to its end and could be judged.
///
/// Findings below `required` never fail a case by themselves: the snapshot holds them, and they
/// count when they come or go.
pub fn verdict(findings: &[Finding], comparison: &Comparison, strict: bool) -> Verdict {
    let required = |finding: &&Finding| finding.level == Level::Required;
    let any_required = findings.iter().any(|finding| required(&finding));
    match comparison {
        Comparison::NoBaseline if any_required => Verdict::Fail,
        Comparison::NoBaseline => Verdict::Pass,
        Comparison::Against(difference) => {
            let is_new = |finding: &Finding| difference.new_findings.contains(&finding.rule);
            if findings.iter().filter(required).any(is_new) {
                Verdict::Fail
            } else if !difference.is_empty() {
                Verdict::Changed
            } else if any_required {
                if strict { Verdict::Fail } else { Verdict::Known }
            } else {
                Verdict::Pass
            }
        }
    }
}

/// The rules of `these` that `held` does not hold as often.
fn missing_in(held: &[FindingLine], these: &[FindingLine]) -> Vec<String> {
    let mut held: Vec<&str> = held.iter().map(|finding| finding.rule.as_str()).collect();
    let mut missing = Vec::new();
    for finding in these {
        match held.iter().position(|rule| *rule == finding.rule) {
            Some(at) => {
                held.swap_remove(at);
            }
            None => missing.push(finding.rule.clone()),
        }
    }
    missing
}

/// A unified diff, empty where the two are the same.
pub(super) fn diff(accepted: &str, now: &str) -> String {
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
    use super::{super::format::tests::finding_of, *};

    fn case(text: &str, findings: &[Finding]) -> CaseSnapshot {
        let lines = findings.iter().map(|finding| FindingLine {
            rule: finding.rule.clone(),
            level: finding.level,
            observed: String::new(),
        });
        CaseSnapshot::from_parts("a/b", text, lines.collect())
    }

    fn judged(accepted: Option<(&str, &[Finding])>, text: &str, now: &[Finding], strict: bool) -> Verdict {
        let accepted = accepted.map(|(text, findings)| case(text, findings));
        verdict(now, &compare(accepted.as_ref(), &case(text, now)), strict)
    }

    #[test]
    fn the_verdict_follows_the_table() {
        let required = [finding_of("a.required", Level::Required)];
        let other = [finding_of("b.required", Level::Required)];
        let advice = [finding_of("c.recommended", Level::Recommended)];
        let both = [required[0].clone(), advice[0].clone()];
        let twice = [required[0].clone(), required[0].clone()];
        use Verdict::*;
        for (accepted, text, now, loose, strict) in [
            // Nothing accepted: the contract alone.
            (None, "x", &[][..], Pass, Pass),
            (None, "x", &required[..], Fail, Fail),
            (None, "x", &advice[..], Pass, Pass),
            // The same as accepted.
            (Some(("x", &[][..])), "x", &[][..], Pass, Pass),
            (Some(("x", &required[..])), "x", &required[..], Known, Fail),
            (Some(("x", &advice[..])), "x", &advice[..], Pass, Pass),
            // The observation changed.
            (Some(("x", &[][..])), "y", &[][..], Changed, Changed),
            (Some(("x", &required[..])), "y", &required[..], Changed, Changed),
            // Findings came or went.
            (Some(("x", &[][..])), "x", &required[..], Fail, Fail),
            (Some(("x", &[][..])), "x", &advice[..], Changed, Changed),
            (Some(("x", &required[..])), "x", &[][..], Changed, Changed),
            (Some(("x", &required[..])), "x", &other[..], Fail, Fail),
            (Some(("x", &required[..])), "x", &both[..], Changed, Changed),
            (Some(("x", &required[..])), "x", &twice[..], Fail, Fail),
        ] {
            assert_eq!(judged(accepted, text, now, false), loose, "{accepted:?} {text} {now:?}");
            assert_eq!(judged(accepted, text, now, true), strict, "strict: {accepted:?} {text} {now:?}");
        }
    }

    #[test]
    fn the_diff_shows_a_few_lines_around_the_change() {
        let accepted = case("1\n2\n3\nretry-after: 7\n5\n6\n7", &[]);
        let now = case("1\n2\n3\n5\n6\n7", &[]);
        let Comparison::Against(difference) = compare(Some(&accepted), &now) else {
            panic!("there is a baseline")
        };
        insta::assert_snapshot!(difference.diff, @r"
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
    fn another_wording_of_the_same_finding_is_no_change() {
        let mut now = case("x", &[finding_of("a.b", Level::Required)]);
        let accepted = now.clone();
        now.findings[0].observed = "something else".to_owned();
        assert_eq!(compare(Some(&accepted), &now), Comparison::Against(Difference::default()));
    }
}
