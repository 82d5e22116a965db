//! Groups the cases that differ by cause: the same change of the same fact.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    case::{CaseDifference, ComparedAs},
    change::FactChange,
    fact::FactKind,
    scope::CaseScope,
};

/// A cause, with all its cases. Every case that differs has exactly one cause: the heaviest of its changes. Its other
/// changes are consequences, and are listed as such.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct ChangeCause {
    /// Whether its cases are worse, better or different.
    pub compared_as: ComparedAs,
    /// The change in words: `429 -> 200 with an error event`.
    pub change: String,
    /// The kind of the fact that changed; null if only the judgement changed.
    pub fact: Option<FactKind>,
    /// Required rules that are newly broken, each with the number of cases.
    pub breaks: BTreeMap<String, usize>,
    /// Required rules that are fixed, each with the number of cases.
    pub keeps: BTreeMap<String, usize>,
    /// The most frequent change of each SDK's behaviour.
    pub sdks: Vec<SdkChange>,
    /// Other changes of its cases, each with the number of cases.
    pub also: BTreeMap<String, usize>,
    /// What its cases have in common.
    pub scope: CaseScope,
    /// Its cases, sorted by id.
    pub cases: Vec<CauseCase>,
    /// With more than two runs: in which later run how many of the cases are again as before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<UndoneCases>,
}

/// Cases that are again as before in a later run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct UndoneCases {
    /// The label of the first run in which they are as before.
    pub side: String,
    /// How many they are.
    pub cases: usize,
}

/// One case of a cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct CauseCase {
    /// The case's id.
    pub id: String,
    /// The facts that differ, the heaviest first.
    pub changes: Vec<FactChange>,
}

/// How the behaviour of an SDK changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub(crate) struct SdkChange {
    /// The SDK.
    pub sdk: String,
    /// Its behaviour before: `RateLimitError, retried twice`.
    pub before: String,
    /// Its behaviour after.
    pub after: String,
    /// The number of cases.
    pub cases: usize,
}

/// A group of causes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CauseGroup {
    /// A required rule is newly broken, and none is fixed.
    Worse,
    /// A required rule is newly broken, and another one is fixed.
    Mixed,
    /// A required rule is fixed, and none is newly broken.
    Better,
    /// What callers get differs.
    Different,
    /// Only the wording of messages differs.
    Wording,
}

impl CauseGroup {
    /// All groups, the worst first.
    pub(crate) const ALL: [Self; 5] =
        [Self::Worse, Self::Mixed, Self::Better, Self::Different, Self::Wording];
}

impl ChangeCause {
    /// Its group.
    pub(crate) fn group(&self) -> CauseGroup {
        match self.compared_as {
            ComparedAs::Worse if self.keeps.is_empty() => CauseGroup::Worse,
            ComparedAs::Worse => CauseGroup::Mixed,
            ComparedAs::Better => CauseGroup::Better,
            ComparedAs::Different if self.fact == Some(FactKind::Message) => CauseGroup::Wording,
            ComparedAs::Different => CauseGroup::Different,
        }
    }
}

/// Groups cases by cause, the worst first. `scope` describes a set of cases. Pure; the order of `cases` does not
/// matter.
pub(crate) fn causes(cases: &[CaseDifference], scope: impl Fn(&[&str]) -> CaseScope) -> Vec<ChangeCause> {
    let mut groups: BTreeMap<CauseKey, Vec<&CaseDifference>> = BTreeMap::new();
    for case in cases {
        groups.entry(CauseKey::of(case)).or_default().push(case);
    }
    let mut causes: Vec<ChangeCause> = groups
        .into_iter()
        .map(|(key, mut cases)| {
            cases.sort_by(|a, b| a.id.cmp(&b.id));
            let ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
            let change = key.describe(&cases);
            ChangeCause {
                compared_as: key.compared_as,
                fact: key.fact,
                breaks: counted(&cases, |case| case.breaks.clone()),
                keeps: counted(&cases, |case| case.keeps.clone()),
                sdks: sdk_changes(&cases),
                also: counted(&cases, also),
                change,
                scope: scope(&ids),
                cases: cases
                    .iter()
                    .map(|case| CauseCase { id: case.id.clone(), changes: case.changes.clone() })
                    .collect(),
                undone: Vec::new(),
            }
        })
        .collect();
    causes.sort_by_key(order);
    causes
}

/// What causes are ordered by.
type CauseRank = (CauseGroup, Option<(usize, bool, FactKind)>, Reverse<usize>, Option<FactKind>, String);

/// The worst groups first. What is worse is ordered by the rules that are newly broken and then by the weight of the fact,
/// because one lost failure matters more than many lost words; everything else by the number of cases.
fn order(cause: &ChangeCause) -> CauseRank {
    let weighs = matches!(cause.group(), CauseGroup::Worse | CauseGroup::Mixed);
    // Causes without a fact, of which only the judgement differs, come last.
    let weight = cause.fact.map_or((true, FactKind::Message), |fact| (false, fact));
    let rules = cause.breaks.keys().map(|rule| mildness(rule)).min().unwrap_or_default();
    let weight = weighs.then_some((rules, weight.0, weight.1));
    (cause.group(), weight, Reverse(cause.cases.len()), cause.fact, cause.change.clone())
}

/// Families of rules in the order of what a broken rule costs a caller: a failure that looks like a success or like another
/// failure, then what delays a caller, then lost details. Other families come in the second place.
const FAMILIES_BY_COST: [&[&str]; 4] = [
    &["process", "leak", "tls", "success", "stream", "status", "recovery"],
    &[],
    &["detail", "headers"],
    &["format", "passthrough", "sibling"],
];

/// The place of the family of a rule in [`FAMILIES_BY_COST`].
fn mildness(rule: &str) -> usize {
    let family = rule.split('.').next().unwrap_or_default();
    FAMILIES_BY_COST.iter().position(|families| families.contains(&family)).unwrap_or(1)
}

/// What the cases of one cause share.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct CauseKey {
    compared_as: ComparedAs,
    fact: Option<FactKind>,
    /// The change in words, without the name of a header, detail or leak if rules decide.
    change: String,
    /// The rules that decide; empty if the change is described completely.
    rules: String,
}

impl CauseKey {
    fn of(case: &CaseDifference) -> Self {
        let compared_as = case.compared_as;
        match case.main_change() {
            None => Self { compared_as, fact: None, change: case.rules(), rules: String::new() },
            // Several headers that break the same rule have one cause.
            Some(main) if compared_as != ComparedAs::Different && !main.subject.is_empty() => Self {
                compared_as,
                fact: Some(main.kind),
                change: main.describe_as(NAMES, STATUSES),
                rules: case.rules(),
            },
            Some(main) => Self {
                compared_as,
                fact: Some(main.kind),
                change: main.describe_as(&main.subject, STATUSES),
                rules: String::new(),
            },
        }
    }

    fn describe(&self, cases: &[&CaseDifference]) -> String {
        let mains: Vec<&FactChange> = cases.iter().filter_map(|case| case.main_change()).collect();
        let subjects: BTreeSet<&str> = mains.iter().map(|main| main.subject.as_str()).collect();
        let statuses: BTreeSet<String> = mains.iter().filter_map(|main| main.providers_status()).collect();
        let listed = |names: Vec<&str>| names.join(", ");
        self.change
            .replace(NAMES, &listed(subjects.into_iter().collect()))
            .replace(STATUSES, &listed(statuses.iter().map(String::as_str).collect()))
    }
}

/// A placeholder for the statuses of the provider.
const STATUSES: &str = "\u{1}statuses";

/// A placeholder for the names of headers, details or leaks.
const NAMES: &str = "\u{1}names";

/// How many cases have each text.
fn counted(
    cases: &[&CaseDifference],
    texts: impl Fn(&CaseDifference) -> Vec<String>,
) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for text in cases.iter().flat_map(|case| texts(case).into_iter().collect::<BTreeSet<_>>()) {
        *counts.entry(text).or_default() += 1;
    }
    counts
}

/// The changes of a case other than its cause. SDKs are listed apart.
fn also(case: &CaseDifference) -> Vec<String> {
    let main = case.main_change().map(FactChange::describe);
    let other = case.changes.iter().filter(|change| change.kind != FactKind::Sdk);
    other.map(FactChange::describe).filter(|words| Some(words) != main.as_ref()).collect()
}

fn sdk_changes(cases: &[&CaseDifference]) -> Vec<SdkChange> {
    let mut counts: BTreeMap<(&str, &str, &str), BTreeSet<&str>> = BTreeMap::new();
    for case in cases {
        for change in case.changes.iter().filter(|change| change.kind == FactKind::Sdk) {
            let before = change.before.as_deref().unwrap_or("no result");
            let after = change.after.as_deref().unwrap_or("no result");
            counts.entry((&change.subject, before, after)).or_default().insert(&case.id);
        }
    }
    let mut all: Vec<SdkChange> = counts
        .into_iter()
        .map(|((sdk, before, after), cases)| SdkChange {
            sdk: sdk.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
            cases: cases.len(),
        })
        .collect();
    all.sort_by(|a, b| b.cases.cmp(&a.cases).then_with(|| a.sdk.cmp(&b.sdk)));
    let mut named: BTreeSet<String> = BTreeSet::new();
    all.retain(|change| named.insert(change.sdk.clone()));
    all
}
