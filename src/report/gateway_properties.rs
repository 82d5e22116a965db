//! Rules that nearly every case breaks. They say something about the gateway and not about single cases, so people
//! read them once.

use std::collections::BTreeMap;

use crate::{event::CaseReport, judge::Finding, scenario::Level};

/// In fewer cases than this, a repetition may be a coincidence.
const FEWEST: usize = 20;

/// A rule that nearly every case breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GatewayProperty {
    /// The rule.
    pub(super) rule: String,
    /// Its level in the first case.
    pub(super) level: Level,
    /// How many cases break it.
    pub(super) broken: usize,
    /// How many cases were judged.
    pub(super) judged: usize,
    /// What was observed in the first case.
    pub(super) observed: String,
}

/// The rules that at least three quarters of the judged cases break, if there are enough cases to say so.
pub(super) fn gateway_properties(cases: &[CaseReport]) -> Vec<GatewayProperty> {
    let mut rules: BTreeMap<&str, (usize, &Finding)> = BTreeMap::new();
    let mut judged = 0;
    for case in cases.iter().filter(|case| case.verdict.is_of_findings()) {
        judged += 1;
        let firsts =
            case.findings.iter().enumerate().filter(|(n, finding)| {
                !case.findings[..*n].iter().any(|earlier| earlier.rule == finding.rule)
            });
        for (_, finding) in firsts {
            rules.entry(&finding.rule).or_insert((0, finding)).0 += 1;
        }
    }
    let is_property = |broken: usize| broken >= FEWEST && 4 * broken >= 3 * judged;
    let property = |(rule, (broken, first)): (&str, (usize, &Finding))| GatewayProperty {
        rule: rule.to_owned(),
        level: first.level,
        broken,
        judged,
        observed: first.observed.clone(),
    };
    rules.into_iter().filter(|(_, (broken, _))| is_property(*broken)).map(property).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::Verdict,
        report::sample::{case, failing},
    };

    fn properties(broken: usize, passing: usize) -> Vec<GatewayProperty> {
        let mut cases: Vec<CaseReport> = (0..broken).map(|n| failing(&format!("a/{n}"))).collect();
        cases.extend((0..passing).map(|n| case(&format!("b/{n}"), Verdict::Pass)));
        cases.extend((0..1000).map(|n| case(&format!("c/{n}"), Verdict::Skipped)));
        gateway_properties(&cases)
    }

    #[test]
    fn a_rule_that_three_quarters_of_the_judged_cases_break_is_a_property() {
        let found = properties(30, 10);
        assert_eq!(
            (found[0].rule.as_str(), found[0].broken, found[0].judged),
            ("headers.retry-after", 30, 40)
        );
        assert_eq!(properties(30, 11), []);
    }

    #[test]
    fn fewer_cases_may_be_a_coincidence() {
        assert_eq!(properties(FEWEST - 1, 0), []);
        assert_eq!(properties(FEWEST, 0).len(), 1);
    }

    #[test]
    fn a_rule_that_a_case_breaks_twice_counts_once() {
        let mut twice = failing("a");
        twice.findings.push(twice.findings[0].clone());
        let cases: Vec<CaseReport> = std::iter::repeat_n(twice, FEWEST).collect();
        assert_eq!(gateway_properties(&cases)[0].broken, FEWEST);
    }
}
