//! Which cases wait for which: one that is held against siblings is told after them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::round::Seen;
use crate::{
    event::CaseResult,
    judge::ComparedSibling,
    scenario::{Case, Sibling, siblings},
};

/// What is known of the cases of one group to those that are held against them.
pub struct Kinship<'r> {
    /// Whom each case is held against, by its id; those that are held against nobody are left out.
    siblings: HashMap<String, Vec<Sibling>>,
    /// Cases whose last word is still to come.
    open: HashSet<String>,
    /// Those of them that somebody is held against.
    wanted: HashSet<String>,
    /// What was told of those: only where it was judged.
    told: HashMap<String, Arc<CaseResult>>,
    /// Seen, and waiting for siblings.
    waiting: Vec<Seen<'r>>,
}

impl<'r> Kinship<'r> {
    /// Of the cases that are to be run on one instance. Siblings have the same settings, and so share one.
    pub fn of<'c>(cases: impl Iterator<Item = &'c Case> + Clone) -> Self {
        let open = cases.clone().map(|case| case.id.clone()).collect();
        let siblings: HashMap<String, Vec<Sibling>> = cases
            .map(|case| (case.id.clone(), siblings(case)))
            .filter(|(_, siblings)| !siblings.is_empty())
            .collect();
        let wanted = siblings.values().flatten().map(|sibling| sibling.id.clone()).collect();
        Self { siblings, open, wanted, told: HashMap::new(), waiting: Vec::new() }
    }

    fn siblings(&self, case: &Case) -> &[Sibling] {
        self.siblings.get(&case.id).map_or(&[], Vec::as_slice)
    }

    /// Whether a case that this one is held against has still to be told.
    pub fn must_wait(&self, case: &Case) -> bool {
        self.siblings(case).iter().any(|sibling| self.open.contains(&sibling.id))
    }

    /// The siblings of a case, each with what was seen of it as far as it has been told.
    pub fn beside(&self, case: &Case) -> Vec<ComparedSibling<'_>> {
        let seen = |id: &str| self.told.get(id).and_then(|result| result.observation.as_ref());
        let beside = |sibling: &Sibling| ComparedSibling { kin: sibling.kin, seen: seen(&sibling.id) };
        self.siblings(case).iter().map(beside).collect()
    }

    /// Keeps what was seen of a case until its siblings have been told.
    pub fn wait(&mut self, seen: Seen<'r>) {
        self.waiting.push(seen);
    }

    /// The last word on a case: its result where it was judged.
    pub fn settle(&mut self, id: &str, judged: Option<Arc<CaseResult>>) {
        self.open.remove(id);
        if let Some(result) = judged.filter(|_| self.wanted.contains(id)) {
            self.told.insert(id.to_owned(), result);
        }
    }

    /// One that need not wait any more.
    pub fn released(&mut self) -> Option<Seen<'r>> {
        let free = self.waiting.iter().position(|seen| !self.must_wait(&seen.look.ready.case))?;
        Some(self.waiting.swap_remove(free))
    }
}
