//! Siblings: a case that is compared with siblings is judged after them.

use std::collections::{HashMap, HashSet};

use super::look::FinishedLook;
use crate::{
    judge::ComparedSibling,
    observation::Observation,
    scenario::{Case, Sibling, siblings},
};

/// Siblings of the cases of an instance, and their results.
pub(super) struct Kinship<'r> {
    /// The siblings of each case that has siblings, by case id.
    siblings: HashMap<String, Vec<Sibling>>,
    /// Cases without a final result.
    open: HashSet<String>,
    /// How many open cases are compared with a case, by id.
    wanted: HashMap<String, usize>,
    /// What was seen in siblings that were judged. Not their reports: placeholders must not be compared with secrets.
    judged: HashMap<String, Observation>,
    /// Looks that wait for the results of siblings.
    waiting: Vec<FinishedLook<'r>>,
}

impl<'r> Kinship<'r> {
    /// Collects the siblings of the cases of an instance. Siblings have the same settings, so they share an instance.
    pub(super) fn of<'c>(cases: impl Iterator<Item = &'c Case> + Clone) -> Self {
        let open = cases.clone().map(|case| case.id.clone()).collect();
        let siblings: HashMap<String, Vec<Sibling>> = cases
            .map(|case| (case.id.clone(), siblings(case)))
            .filter(|(_, siblings)| !siblings.is_empty())
            .collect();
        let mut wanted: HashMap<String, usize> = HashMap::new();
        for sibling in siblings.values().flatten() {
            *wanted.entry(sibling.id.clone()).or_default() += 1;
        }
        Self { siblings, open, wanted, judged: HashMap::new(), waiting: Vec::new() }
    }

    fn siblings(&self, case: &Case) -> &[Sibling] {
        self.siblings.get(&case.id).map_or(&[], Vec::as_slice)
    }

    /// Whether a sibling of this case has no final result yet.
    pub(super) fn must_wait(&self, case: &Case) -> bool {
        self.siblings(case).iter().any(|sibling| self.open.contains(&sibling.id))
    }

    /// The siblings of a case with their observations, as far as they were judged.
    pub(super) fn compared_siblings(&self, case: &Case) -> Vec<ComparedSibling<'_>> {
        let seen = |id: &str| self.judged.get(id);
        let compared = |sibling: &Sibling| ComparedSibling { kin: sibling.kin, seen: seen(&sibling.id) };
        self.siblings(case).iter().map(compared).collect()
    }

    /// Keeps a look until the siblings of its case have final results.
    pub(super) fn wait(&mut self, seen: FinishedLook<'r>) {
        self.waiting.push(seen);
    }

    /// Whether an open case is compared with this one.
    pub(super) fn is_wanted(&self, id: &str) -> bool {
        self.wanted.contains_key(id)
    }

    /// Records that a case has a final result, which is `None` if it was not judged. Results are kept only as long as an
    /// open case is compared with them.
    pub(super) fn settle(&mut self, id: &str, judged: Option<Observation>) {
        if !self.open.remove(id) {
            return;
        }
        if let Some(observation) = judged.filter(|_| self.is_wanted(id)) {
            self.judged.insert(id.to_owned(), observation);
        }
        for sibling in self.siblings.get(id).into_iter().flatten() {
            let Some(left) = self.wanted.get_mut(&sibling.id) else { continue };
            *left -= 1;
            if *left == 0 {
                self.wanted.remove(&sibling.id);
                self.judged.remove(&sibling.id);
            }
        }
    }

    /// Removes and returns a look that no longer has to wait.
    pub(super) fn released(&mut self) -> Option<FinishedLook<'r>> {
        let free = self.waiting.iter().position(|seen| !self.must_wait(&seen.look.ready.case))?;
        Some(self.waiting.swap_remove(free))
    }
}
