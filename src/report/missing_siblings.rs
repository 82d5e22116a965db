//! Cases that could not be compared with a sibling. The report says so: silence would look like agreement.

use std::collections::HashSet;

use super::plural;
use crate::event::CaseReport;

/// One line about the cases whose siblings have no verdict; `None` if there are no such cases.
pub(super) fn alone(cases: &[CaseReport]) -> Option<String> {
    let judged = || cases.iter().filter(|case| case.verdict.is_of_findings());
    let have_verdicts: HashSet<&str> = judged().map(|case| case.id.as_str()).collect();
    let missing = |case: &CaseReport| -> Option<String> {
        case.compared_with.iter().find(|id| !have_verdicts.contains(id.as_str())).cloned()
    };
    let mut alone = judged().filter_map(|case| Some((case.id.as_str(), missing(case)?)));
    let (id, sibling) = alone.next()?;
    let count = 1 + alone.count();
    let (cases, such) = match count {
        1 => (format!("{id} was"), String::new()),
        _ => (format!("{} were", plural(count, "case")), format!(" (the first is {id})")),
    };
    let whom = if count == 1 { sibling } else { "a sibling".to_owned() };
    Some(format!(
        "{cases} not compared with {whom}, which did not run or could not be judged{such}: the rules `sibling.*` \
         were not applied"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{judge::Verdict, report::sample::failing};

    fn case(id: &str, verdict: Verdict, against: &[&str]) -> CaseReport {
        let mut case = failing(id);
        case.verdict = verdict;
        case.compared_with = against.iter().map(|id| (*id).to_owned()).collect();
        case
    }

    #[test]
    fn a_case_whose_sibling_was_judged_is_not_mentioned() {
        for verdict in [Verdict::Pass, Verdict::Fail, Verdict::Known, Verdict::Changed] {
            let cases = [case("x", verdict, &[]), case("x[stream]", Verdict::Pass, &["x"])];
            assert_eq!(alone(&cases), None, "{verdict}");
        }
    }

    #[test]
    fn a_case_without_a_judged_sibling_is_named_with_the_sibling() {
        let said = "x[stream] was not compared with x, which did not run or could not be judged: the rules \
                    `sibling.*` were not applied";
        let stream = || case("x[stream]", Verdict::Pass, &["x"]);
        assert_eq!(alone(&[stream()]).as_deref(), Some(said));
        for verdict in [Verdict::Inconclusive, Verdict::Broken, Verdict::Skipped] {
            assert_eq!(alone(&[case("x", verdict, &[]), stream()]).as_deref(), Some(said), "{verdict}");
        }
    }

    #[test]
    fn several_cases_are_counted_without_those_that_were_not_judged() {
        let cases = [
            case("x[stream]", Verdict::Pass, &["x"]),
            case("y[stream]", Verdict::Inconclusive, &["y"]),
            case("z[stream]", Verdict::Known, &["z"]),
        ];
        let said = alone(&cases).expect("two have no sibling");
        assert!(said.starts_with("2 cases were not compared with a sibling,"), "{said}");
        assert!(said.contains("the first is x[stream]"), "{said}");
    }
}
