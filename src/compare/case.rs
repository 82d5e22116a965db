//! The comparison of one case in two runs.

use std::{collections::BTreeSet, fmt};

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    change::{FactChange, changes},
    fact::{CaseFacts, FactKind},
};
use crate::scenario::Combination;

/// One case of a run, as a comparison needs it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ComparedCase {
    /// The case's id.
    pub id: String,
    /// The scenario's id.
    pub scenario: String,
    /// The provider, API and streaming mode.
    pub combination: Combination,
    /// Whether the case was judged, and what was seen.
    pub state: CaseState,
}

/// Whether a case was judged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CaseState {
    /// It was judged.
    Judged {
        /// The required rules that the proxy broke.
        broken: BTreeSet<String>,
        /// What the caller noticed.
        facts: CaseFacts,
    },
    /// The proxy cannot be configured the way the case needs; with the reason.
    Skipped(String),
    /// upfault could not decide, or failed.
    Unclear,
}

/// How a case differs from one run to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum ComparedAs {
    /// A required rule is newly broken.
    Worse,
    /// A required rule is fixed, and none is newly broken.
    Better,
    /// What callers get differs, but no required rule decides whether that is better.
    Different,
}

impl ComparedAs {
    /// The name in reports.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::Different => "different",
        }
    }
}

impl fmt::Display for ComparedAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A case that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaseDifference {
    /// The case's id.
    pub id: String,
    /// How it differs.
    pub compared_as: ComparedAs,
    /// Required rules that are newly broken.
    pub breaks: Vec<String>,
    /// Required rules that are fixed.
    pub keeps: Vec<String>,
    /// The facts that differ, the heaviest first.
    pub changes: Vec<FactChange>,
}

/// The facts that the rules of a family are about. The facts of other families are their response.
const ABOUT: &[(&str, &[FactKind])] = &[
    ("detail.", &[FactKind::ErrorType, FactKind::ErrorCode, FactKind::ErrorParam, FactKind::Detail]),
    ("headers.", &[FactKind::Leak, FactKind::RetryHeader, FactKind::Header, FactKind::Detail]),
    ("leak.", &[FactKind::Leak]),
    ("format.", &[FactKind::StreamEnd, FactKind::ErrorShape, FactKind::ErrorType, FactKind::ErrorCode]),
    ("stream.", &[FactKind::Content, FactKind::StreamEnd]),
    ("success.", &[FactKind::Content, FactKind::StreamEnd]),
    ("retry.", &[FactKind::Attempts]),
    ("fallback.", &[FactKind::Content, FactKind::Attempts]),
    ("cooldown.", &[FactKind::Attempts, FactKind::RetryHeader]),
    ("timeout.", &[FactKind::Attempts, FactKind::Duration]),
    ("disconnect.", &[FactKind::Attempts, FactKind::Duration]),
    (
        "expect.",
        &[
            FactKind::Content,
            FactKind::StreamEnd,
            FactKind::Attempts,
            FactKind::ErrorType,
            FactKind::ErrorCode,
        ],
    ),
];

fn is_about(rule: &str, kind: FactKind) -> bool {
    ABOUT.iter().any(|(family, kinds)| rule.starts_with(family) && kinds.contains(&kind))
}

impl CaseDifference {
    /// Compares two judged runs of a case; `None` if nothing differs. Pure.
    pub(crate) fn between(
        id: &str,
        (broken, facts): (&BTreeSet<String>, &CaseFacts),
        (broken_now, facts_now): (&BTreeSet<String>, &CaseFacts),
    ) -> Option<Self> {
        let breaks: Vec<String> = broken_now.difference(broken).cloned().collect();
        let keeps: Vec<String> = broken.difference(broken_now).cloned().collect();
        Self::of(id, breaks, keeps, changes(facts, facts_now))
    }

    fn of(id: &str, breaks: Vec<String>, keeps: Vec<String>, changes: Vec<FactChange>) -> Option<Self> {
        let compared_as = match (breaks.is_empty(), keeps.is_empty(), changes.is_empty()) {
            (false, ..) => ComparedAs::Worse,
            (true, false, _) => ComparedAs::Better,
            (true, true, false) => ComparedAs::Different,
            (true, true, true) => return None,
        };
        Some(Self { id: id.to_owned(), compared_as, breaks, keeps, changes })
    }

    /// What this difference and another one of the same case have in common; `None` if nothing.
    pub(super) fn in_common_with(self, other: &Self) -> Option<Self> {
        let both = |own: Vec<String>, other: &[String]| -> Vec<String> {
            own.into_iter().filter(|rule| other.contains(rule)).collect()
        };
        // Durations are never exactly the same.
        let alike = |one: &FactChange, other: &FactChange| {
            one.place() == other.place() && one.describe() == other.describe()
        };
        let mut changes = self.changes;
        changes.retain(|one| other.changes.iter().any(|other| alike(one, other)));
        Self::of(&self.id, both(self.breaks, &other.breaks), both(self.keeps, &other.keeps), changes)
    }

    /// Whether only the wording of messages differs.
    pub(crate) fn is_wording(&self) -> bool {
        self.compared_as == ComparedAs::Different
            && self.changes.iter().all(|change| change.kind == FactKind::Message)
    }

    /// The change that is the cause: the heaviest one. If a rule decides the comparison, the heaviest one that the rule is
    /// about; `None` without such a change: then the rule itself is the cause.
    pub(crate) fn main_change(&self) -> Option<&FactChange> {
        let deciding = if self.breaks.is_empty() { &self.keeps } else { &self.breaks };
        if deciding.is_empty() {
            return self.changes.first();
        }
        // Another response explains every rule.
        let explains = |change: &&FactChange| {
            change.kind <= FactKind::Response || deciding.iter().any(|rule| is_about(rule, change.kind))
        };
        self.changes.iter().find(explains)
    }

    /// `newly broken: status.mirrored; fixed: headers.retry-after`; empty if no required rule decides.
    pub(crate) fn rules(&self) -> String {
        let part = |word: &str, rules: &[String]| {
            (!rules.is_empty()).then(|| format!("{word} {}", rules.join(", ")))
        };
        let parts = [part("newly broken:", &self.breaks), part("fixed:", &self.keeps)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}
