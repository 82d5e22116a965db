//! Kinds of changes. If several cases confirm a kind in another look, the other cases that changed in the same way are
//! believed without one: a new release of a proxy changes hundreds of cases alike. Pure.

use std::collections::{HashMap, HashSet};

use crate::snapshot::DifferenceKind;

/// How many cases must confirm a kind of change.
const ENOUGH: usize = 3;

/// What is known of each kind of change.
#[derive(Default)]
pub(super) struct ChangeKinds(HashMap<DifferenceKind, ChangeTally>);

/// What is known of a kind of change.
#[derive(Default)]
struct ChangeTally {
    /// The cases that run again, because of this change.
    asked: HashSet<String>,
    /// The cases that changed in the same way again.
    confirmed: HashSet<String>,
    /// Whether a case did not.
    is_refuted: bool,
}

impl ChangeKinds {
    /// Whether this case must run again now. If not, other cases with the same kind of change run again first.
    pub(super) fn must_ask(&mut self, kind: &DifferenceKind, case: &str) -> bool {
        let tally = self.0.entry(kind.clone()).or_default();
        if !tally.is_refuted && tally.asked.len() >= ENOUGH {
            return false;
        }
        tally.asked.insert(case.to_owned());
        true
    }

    /// Records whether a case that ran again changed in the same way.
    pub(super) fn learn(&mut self, kind: &DifferenceKind, case: &str, is_confirmed: bool) {
        let tally = self.0.entry(kind.clone()).or_default();
        if is_confirmed {
            tally.confirmed.insert(case.to_owned());
        } else {
            tally.is_refuted = true;
        }
    }

    /// Whether enough cases confirmed this kind of change, and none refuted it.
    pub(super) fn is_believed(&self, kind: &DifferenceKind) -> bool {
        self.0.get(kind).is_some_and(|tally| !tally.is_refuted && tally.confirmed.len() >= ENOUGH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Difference;

    fn kind(rule: &str) -> DifferenceKind {
        Difference { new_findings: vec![rule.to_owned()], ..Difference::default() }.kind()
    }

    #[test]
    fn a_change_that_several_cases_confirm_is_believed() {
        let (mut kinds, status, detail) = (ChangeKinds::default(), kind("status"), kind("detail"));
        for case in ["a", "b", "c"] {
            assert!(kinds.must_ask(&status, case) && !kinds.is_believed(&status));
        }
        assert!(!kinds.must_ask(&status, "d"), "the first three have no result yet");
        assert!(kinds.must_ask(&detail, "d"), "another kind");
        for case in ["a", "a", "b"] {
            kinds.learn(&status, case, true);
        }
        assert!(!kinds.is_believed(&status), "only two cases confirm it");
        kinds.learn(&status, "c", true);
        assert!(kinds.is_believed(&status) && !kinds.is_believed(&detail));
    }

    #[test]
    fn one_case_that_differs_between_looks_is_enough_to_ask_all_others() {
        let (mut kinds, status) = (ChangeKinds::default(), kind("status"));
        for case in ["a", "b", "c", "d"] {
            kinds.must_ask(&status, case);
            kinds.learn(&status, case, case != "b");
        }
        assert!(!kinds.is_believed(&status));
        assert!(kinds.must_ask(&status, "e"));
    }
}
