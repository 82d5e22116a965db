//! Rules and their outcomes.

use super::{facts::Facts, scope::Scope};
use crate::scenario::Level;

/// A rule of the contract: a named, pure function of the facts about one exchange.
pub struct Rule {
    /// The stable id: `status.mirrored`.
    pub id: &'static str,
    /// How severe a finding is.
    pub level: Level,
    /// What must hold, as a sentence of one line.
    pub title: &'static str,
    /// Why it must hold, in one or two sentences.
    pub reason: &'static str,
    /// RFC sections, issues, and pages of providers.
    pub references: &'static [&'static str],
    /// Whether it depends on timing: then a busy machine can cause a false finding.
    pub timing: bool,
    /// To which exchanges it can apply. Only these are checked.
    pub(crate) scope: Scope,
    /// Checks one exchange; `None` if the rule does not apply to it.
    pub check: fn(&Facts<'_>) -> Option<RuleOutcome>,
}

/// The result of checking an exchange to which the rule applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleOutcome {
    /// The proxy keeps the rule.
    Holds,
    /// The proxy breaks the rule.
    Broken(RuleBreach),
}

/// How the proxy breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleBreach {
    /// The expected behaviour.
    pub expected: String,
    /// The observed behaviour.
    pub observed: String,
    /// Evidence in addition to the attempts, which every finding lists.
    pub evidence: Vec<String>,
}

impl RuleOutcome {
    /// [`Holds`](Self::Holds), or [`Broken`](Self::Broken) with the expected and the observed behaviour.
    pub fn check(holds: bool, breach: impl FnOnce() -> (String, String)) -> Option<Self> {
        if holds {
            return Some(Self::Holds);
        }
        let (expected, observed) = breach();
        Self::broken(expected, observed, Vec::new())
    }

    /// [`Broken`](Self::Broken), with evidence.
    pub fn broken(
        expected: impl Into<String>,
        observed: impl Into<String>,
        evidence: Vec<String>,
    ) -> Option<Self> {
        Some(Self::Broken(RuleBreach { expected: expected.into(), observed: observed.into(), evidence }))
    }
}
