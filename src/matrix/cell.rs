//! A cell of the matrix: one rule and one gateway.

use std::collections::HashMap;

use serde::Serialize;

use super::gateway::{BrokenRule, CaseResult, MatrixCase};

/// What the judged cases say about a rule and a gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct MatrixCell {
    /// The number of judged cases to which the rule applied.
    pub judged: usize,
    /// The cases that break the rule in each of their runs. These are the claims.
    pub broken: Vec<String>,
    /// How many of `broken` the accepted snapshots or known findings contain.
    pub known: usize,
    /// How many of `broken` the control did not run, so that nothing confirms that a correct gateway keeps the rule there.
    pub without_control: usize,
    /// Cases that break the rule in some of their runs only. They are not claims.
    pub unconfirmed: Vec<UnconfirmedCase>,
    /// Cases in which the control breaks the rule too. They are not claims.
    pub refuted: Vec<String>,
    /// One of `broken`, with the behaviour.
    pub example: Option<MatrixExample>,
}

/// A case that breaks a rule in some of its runs only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct UnconfirmedCase {
    /// The case's id.
    pub case: String,
    /// In how many runs it breaks the rule.
    pub found: usize,
    /// How many runs it had.
    pub runs: usize,
}

/// A case that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MatrixExample {
    /// The case's id.
    pub case: String,
    /// The expected behaviour; empty if it is not known.
    pub expected: String,
    /// The observed behaviour.
    pub observed: String,
    /// In how many runs it breaks the rule: in each of them.
    pub runs: usize,
    /// Whether the control keeps the rule in this case; `None` if it did not run the case.
    pub kept_by_control: Option<bool>,
}

/// The meaning of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellState {
    /// No case to which the rule applies was judged.
    NotRun,
    /// The rule applied, and no case breaks it.
    Kept,
    /// Some cases break it in every run.
    Broken,
    /// Some cases break it, but not in every run, or only together with the control.
    Unconfirmed,
}

impl MatrixCell {
    /// The cases that break the rule, whether or not they count.
    pub(super) fn cases(&self) -> impl Iterator<Item = &str> {
        let unconfirmed = self.unconfirmed.iter().map(|one| &one.case);
        self.broken.iter().chain(unconfirmed).chain(&self.refuted).map(String::as_str)
    }

    /// The meaning of the cell.
    pub(crate) fn state(&self) -> CellState {
        match self {
            Self { judged: 0, .. } => CellState::NotRun,
            Self { broken, .. } if !broken.is_empty() => CellState::Broken,
            Self { unconfirmed, refuted, .. } if unconfirmed.is_empty() && refuted.is_empty() => {
                CellState::Kept
            }
            _ => CellState::Unconfirmed,
        }
    }
}

/// The results of a gateway by case, in each of the runs that contain the case.
pub(super) struct CaseRuns<'a> {
    /// The ids, in the order of the first run.
    pub(super) ids: Vec<&'a str>,
    by_id: HashMap<&'a str, Vec<&'a CaseResult>>,
}

impl<'a> CaseRuns<'a> {
    pub(super) fn new(runs: &'a [Vec<MatrixCase>]) -> Self {
        let mut by_id: HashMap<&str, Vec<&CaseResult>> = HashMap::new();
        for case in runs.iter().flatten() {
            by_id.entry(&case.id).or_default().push(&case.result);
        }
        let first = runs.iter().take(1).flatten();
        Self { ids: first.map(|case| case.id.as_str()).collect(), by_id }
    }

    /// The results of a case; empty if no run contains it.
    pub(super) fn of(&self, id: &str) -> &[&'a CaseResult] {
        self.by_id.get(id).map_or(&[], Vec::as_slice)
    }

    /// Whether a case breaks a rule in any of its runs; `None` if no run judged the case.
    fn breaks(&self, id: &str, rule: &str) -> Option<bool> {
        let results = self.of(id);
        let judged = || results.iter().any(|result| matches!(result, CaseResult::Judged { .. }));
        let broken = results.iter().any(|result| breach(result, rule).is_some());
        judged().then_some(broken)
    }

    /// The cell of a rule. `control` contains the results of the control, unless this is the control. Of a rule that is
    /// `required`, only required findings count.
    pub(super) fn cell(&self, rule: &str, required: bool, control: Option<&CaseRuns<'_>>) -> MatrixCell {
        let mut cell = MatrixCell::default();
        for id in &self.ids {
            let results = self.of(id);
            let is_judged = results.iter().any(|result| applies(result, rule));
            cell.judged += usize::from(is_judged);
            let counts = |broken: &&BrokenRule| broken.is_required || !required;
            let found: Vec<&BrokenRule> =
                results.iter().filter_map(|result| breach(result, rule)).filter(counts).collect();
            let Some(first) = found.first() else { continue };
            let kept_by_control = control.and_then(|control| control.breaks(id, rule)).map(|breaks| !breaks);
            if kept_by_control == Some(false) {
                cell.refuted.push((*id).to_owned());
            } else if found.len() < results.len() {
                let (found, runs) = (found.len(), results.len());
                cell.unconfirmed.push(UnconfirmedCase { case: (*id).to_owned(), found, runs });
            } else {
                let example = MatrixExample {
                    case: (*id).to_owned(),
                    expected: first.expected.clone(),
                    observed: first.observed.clone(),
                    runs: results.len(),
                    kept_by_control,
                };
                // A claim that the control confirms is the better example.
                if cell.example.as_ref().is_none_or(|old| old.kept_by_control < kept_by_control) {
                    cell.example = Some(example);
                }
                cell.known += usize::from(first.is_known);
                cell.without_control += usize::from(control.is_some() && kept_by_control.is_none());
                cell.broken.push((*id).to_owned());
            }
        }
        cell
    }
}

/// How a result breaks a rule.
fn breach<'a>(result: &'a CaseResult, rule: &str) -> Option<&'a BrokenRule> {
    match result {
        CaseResult::Judged { broken, .. } => broken.iter().find(|broken| broken.rule == rule),
        CaseResult::Skipped(_) | CaseResult::Unclear(_) => None,
    }
}

/// Whether a rule applied. A rule that was broken applied.
fn applies(result: &CaseResult, rule: &str) -> bool {
    match result {
        CaseResult::Judged { applied, .. } => applied.contains(rule) || breach(result, rule).is_some(),
        CaseResult::Skipped(_) | CaseResult::Unclear(_) => false,
    }
}
