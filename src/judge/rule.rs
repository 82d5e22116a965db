//! What a rule is.

use crate::scenario::{Kin, Level};

use super::{facts::Facts, pair::Pair};

/// A rule of the contract: a named, pure function over the facts of one exchange.
pub struct Rule {
    /// Stable and dotted: `status.mirrored`.
    pub id: &'static str,
    /// How strongly it speaks.
    pub level: Level,
    /// What must hold, in one line.
    pub title: &'static str,
    /// Why, in a sentence or two.
    pub reason: &'static str,
    /// RFC sections, issues, provider pages.
    pub references: &'static [&'static str],
    /// Whether it speaks of time, so that a busy machine could break it in the proxy's place.
    pub timing: bool,
    /// Looks at one exchange.
    pub check: fn(&Facts<'_>) -> Outcome,
}

/// A rule that holds a case against its sibling: a named, pure function over the same step of both.
pub struct SiblingRule {
    /// All but what it looks at: of a case alone it says nothing.
    pub rule: Rule,
    /// Which siblings it holds against each other.
    pub kin: Kin,
    /// Looks at the same step of both.
    pub compare: fn(&Pair<'_>) -> Outcome,
}

/// What a rule says of one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It does not speak of this.
    NotApplicable,
    /// It holds.
    Holds,
    /// It is broken.
    Broken(Breach),
}

/// How a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// What should have been.
    pub expected: String,
    /// What was.
    pub observed: String,
    /// Parts of the wire beyond the attempts, which are added to every finding.
    pub evidence: Vec<String>,
}

impl Outcome {
    /// Holds, or is broken with what was expected and observed.
    pub fn check(holds: bool, breach: impl FnOnce() -> (String, String)) -> Self {
        if holds {
            Self::Holds
        } else {
            let (expected, observed) = breach();
            Self::Broken(Breach { expected, observed, evidence: Vec::new() })
        }
    }

    /// Broken, with evidence.
    pub fn broken(expected: impl Into<String>, observed: impl Into<String>, evidence: Vec<String>) -> Self {
        Self::Broken(Breach { expected: expected.into(), observed: observed.into(), evidence })
    }
}
