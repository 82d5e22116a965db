//! The comparison of two or more runs.

use std::collections::{BTreeMap, BTreeSet};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    case::{CaseDifference, CaseState, ComparedAs, ComparedCase},
    cause::{CauseCase, ChangeCause, UndoneCases, causes},
    change::FactChange,
    scope::CaseScope,
};

/// The version of the comparison format. It increases when an older reader could misunderstand a comparison.
pub(crate) const COMPARISON_VERSION: u32 = 1;

/// One run of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ComparedRun {
    /// What was tested.
    pub side: ComparedSide,
    /// Its cases.
    pub cases: Vec<ComparedCase>,
    /// Further runs of some of its cases. A difference counts only if every run of the case shows it.
    pub repeated: Vec<ComparedCase>,
}

/// What one run tested.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct ComparedSide {
    /// A short name that is unique in the comparison: `1.108.7`, `1.108.7 LITELLM_RUST=1`.
    pub label: String,
    /// The proxy's name.
    pub proxy: String,
    /// Its version, if known.
    pub version: Option<String>,
    /// The environment variables and settings that were changed, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The stored report.
    pub report: String,
}

/// The comparison of two or more runs, judged by the same rules and the same policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[cfg_attr(test, schemars(title = "upfault comparison"))]
pub(crate) struct Comparison {
    /// The version of the format: 1.
    pub schema: u32,
    /// The version of upfault that compared the runs.
    pub upfault: String,
    /// The policy that judged all runs.
    pub policy: String,
    /// The runs, oldest first.
    pub sides: Vec<ComparedSide>,
    /// The comparison of each run with the next one.
    pub steps: Vec<ComparisonStep>,
}

/// The comparison of a run with the next one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct ComparisonStep {
    /// The label of the run before.
    pub from: String,
    /// The label of the run after.
    pub to: String,
    /// How many cases are worse, better, different and the same.
    pub counts: ComparisonCounts,
    /// The causes of the differences, the worst first; those in which only the wording differs come last.
    pub causes: Vec<ChangeCause>,
    /// Cases that were not compared.
    pub not_compared: Vec<NotCompared>,
}

/// How many cases there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct ComparisonCounts {
    /// A required rule is newly broken.
    pub worse: usize,
    /// A required rule is fixed, and none is newly broken.
    pub better: usize,
    /// What callers get differs.
    pub different: usize,
    /// Of `different`: only the wording of messages differs.
    pub wording: usize,
    /// Nothing differs.
    pub same: usize,
}

impl ComparisonCounts {
    fn add(&mut self, difference: &CaseDifference) {
        match difference.compared_as {
            ComparedAs::Worse => self.worse += 1,
            ComparedAs::Better => self.better += 1,
            ComparedAs::Different => self.different += 1,
        }
        self.wording += usize::from(difference.is_wording());
    }

    /// How many cases were compared.
    pub(crate) fn compared(&self) -> usize {
        self.worse + self.better + self.different + self.same
    }
}

/// Cases that were not compared, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct NotCompared {
    /// `can now be configured: a later version introduced them`.
    pub reason: String,
    /// Their ids, sorted.
    pub cases: Vec<String>,
}

impl Comparison {
    /// Compares each run with the next one. Pure; the order of the cases of a run does not matter.
    pub(crate) fn new(runs: &[ComparedRun], policy: String) -> Self {
        let indexed: Vec<IndexedRun<'_>> = runs.iter().map(IndexedRun::new).collect();
        let mut rest = indexed.as_slice();
        let mut steps = Vec::new();
        while let [before, after, later @ ..] = rest {
            let mut step = step(before, after);
            step.causes.iter_mut().for_each(|cause| cause.undone = undone(cause, before, later));
            steps.push(step);
            rest = &rest[1..];
        }
        Self {
            schema: COMPARISON_VERSION,
            upfault: env!("CARGO_PKG_VERSION").to_owned(),
            policy,
            sides: runs.iter().map(|run| run.side.clone()).collect(),
            steps,
        }
    }

    /// How many cases differ in a way that `is_meant` accepts and are not as before again in the last run.
    pub(crate) fn remaining(&self, is_meant: impl Fn(ComparedAs) -> bool) -> usize {
        let causes = self.steps.iter().flat_map(|step| &step.causes);
        let left = |cause: &ChangeCause| {
            cause.cases.len().saturating_sub(cause.undone.iter().map(|undone| undone.cases).sum())
        };
        causes.filter(|cause| is_meant(cause.compared_as)).map(left).sum()
    }
}

/// A run whose cases can be found by id.
struct IndexedRun<'a> {
    label: &'a str,
    cases: BTreeMap<&'a str, Vec<&'a ComparedCase>>,
}

impl<'a> IndexedRun<'a> {
    fn new(run: &'a ComparedRun) -> Self {
        let mut cases: BTreeMap<&str, Vec<&ComparedCase>> = BTreeMap::new();
        for case in run.cases.iter().chain(&run.repeated) {
            cases.entry(&case.id).or_default().push(case);
        }
        Self { label: &run.side.label, cases }
    }

    /// The first run of a case, and all runs of it.
    fn case(&self, id: &str) -> Option<(&'a ComparedCase, &[&'a ComparedCase])> {
        let all = self.cases.get(id)?;
        Some((all.first()?, all))
    }
}

fn step(from: &IndexedRun<'_>, to: &IndexedRun<'_>) -> ComparisonStep {
    let ids: BTreeSet<&str> = from.cases.keys().chain(to.cases.keys()).copied().collect();
    let mut counts = ComparisonCounts::default();
    let mut differences = Vec::new();
    let mut left_out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in ids {
        match between(id, from, to) {
            Ok(None) => counts.same += 1,
            Ok(Some(difference)) => {
                counts.add(&difference);
                differences.push(difference);
            }
            Err(Some(reason)) => left_out.entry(reason).or_default().push(id.to_owned()),
            Err(None) => {}
        }
    }
    let scope = |ids: &[&str]| {
        let found = ids.iter().filter_map(|id| to.case(id).or_else(|| from.case(id)));
        CaseScope::of(found.map(|(case, _)| (case.scenario.as_str(), case.combination)))
    };
    ComparisonStep {
        from: from.label.to_owned(),
        to: to.label.to_owned(),
        counts,
        causes: causes(&differences, scope),
        not_compared: left_out.into_iter().map(|(reason, cases)| NotCompared { reason, cases }).collect(),
    }
}

/// The difference of a case. An error if it cannot be compared, with the reason unless there is nothing to say.
fn between(
    id: &str,
    from: &IndexedRun<'_>,
    to: &IndexedRun<'_>,
) -> Result<Option<CaseDifference>, Option<String>> {
    let (before, after) = match (from.case(id), to.case(id)) {
        (Some(before), Some(after)) => (before, after),
        (None, None) => return Err(None),
        (Some(_), None) => return Err(Some(format!("not part of the run of {}", to.label))),
        (None, Some(_)) => return Err(Some(format!("not part of the run of {}", from.label))),
    };
    match (&before.0.state, &after.0.state) {
        (CaseState::Skipped(_), CaseState::Skipped(_)) => Err(None),
        (CaseState::Skipped(reason), _) => Err(Some(format!("can now be configured; before: {reason}"))),
        (_, CaseState::Skipped(reason)) => Err(Some(format!("can no longer be configured: {reason}"))),
        (CaseState::Unclear, CaseState::Unclear) => Err(Some("inconclusive in both".to_owned())),
        (CaseState::Unclear, _) => Err(Some(format!("inconclusive in {}", from.label))),
        (_, CaseState::Unclear) => Err(Some(format!("inconclusive in {}", to.label))),
        (CaseState::Judged { .. }, CaseState::Judged { .. }) => {
            let varies = || Some("vary between runs of the same version".to_owned());
            confirmed(id, before.1, after.1).map_err(|Varies| varies())
        }
    }
}

/// The runs of a case do not agree on how it differs.
struct Varies;

/// What all pairs of runs of a case show.
fn confirmed(
    id: &str,
    before: &[&ComparedCase],
    after: &[&ComparedCase],
) -> Result<Option<CaseDifference>, Varies> {
    let mut found: Vec<Option<CaseDifference>> = Vec::new();
    for was in before {
        for is in after {
            if let (
                CaseState::Judged { broken, facts },
                CaseState::Judged { broken: broken_now, facts: now },
            ) = (&was.state, &is.state)
            {
                found.push(CaseDifference::between(id, (broken, facts), (broken_now, now)));
            }
        }
    }
    if found.iter().all(Option::is_none) {
        return Ok(None);
    }
    let mut pairs = found.into_iter();
    let mut common = pairs.next().flatten().ok_or(Varies)?;
    for pair in pairs {
        common = common.in_common_with(&pair.ok_or(Varies)?).ok_or(Varies)?;
    }
    Ok(Some(common))
}

/// In which of the later runs the cases of a cause are again as before it.
fn undone(cause: &ChangeCause, before: &IndexedRun<'_>, later: &[IndexedRun<'_>]) -> Vec<UndoneCases> {
    let mut counts: Vec<UndoneCases> = Vec::new();
    for case in &cause.cases {
        let first = later.iter().find(|run| is_as_before(case, cause, before, run));
        let Some(run) = first else { continue };
        match counts.iter_mut().find(|one| one.side == run.label) {
            Some(one) => one.cases += 1,
            None => counts.push(UndoneCases { side: run.label.to_owned(), cases: 1 }),
        }
    }
    counts
}

/// Whether `now` differs from `before` neither in the fact of the cause nor in the rules that the cause is about.
fn is_as_before(
    case: &CauseCase,
    cause: &ChangeCause,
    before: &IndexedRun<'_>,
    now: &IndexedRun<'_>,
) -> bool {
    let left = match between(&case.id, before, now) {
        Ok(None) => return true,
        Ok(Some(left)) => left,
        Err(_) => return false,
    };
    let main = case.changes.iter().find(|change| Some(change.kind) == cause.fact).map(FactChange::place);
    !left.changes.iter().any(|change| Some(change.place()) == main)
        && !left.breaks.iter().any(|rule| cause.breaks.contains_key(rule))
        && !left.keeps.iter().any(|rule| cause.keeps.contains_key(rule))
}
