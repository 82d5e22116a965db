//! What the judge says: findings and the verdict of a case.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::PolicyAnswer;
use crate::scenario::Level;

/// One rule broken in one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule's id: `status.mirrored`.
    pub rule: String,
    /// The weaker of the rule's level and the scenario's.
    pub level: Level,
    /// What should have been, in one line.
    pub expected: String,
    /// What was, in one line.
    pub observed: String,
    /// What a person can check: parts of the wire, on either side.
    pub evidence: Vec<String>,
    /// The answers of the policy without which this would be a weaker finding, or none. Empty where the
    /// default policy says the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<PolicyAnswer>,
}

/// What is said of a case in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The contract holds.
    Pass,
    /// It is broken, and no accepted snapshot says that this is known.
    Fail,
    /// It is broken exactly as the accepted snapshot holds.
    Known,
    /// What was seen differs from the accepted snapshot.
    Changed,
    /// It could not be told; the reason stands beside it.
    Inconclusive,
    /// The proxy lacks what the case needs; the reason stands beside it.
    Skipped,
    /// upfault itself failed; never the proxy's fault.
    Broken,
}

impl Verdict {
    /// Every verdict, the worst for the reader first.
    pub const ALL: [Self; 7] =
        [Self::Broken, Self::Fail, Self::Changed, Self::Inconclusive, Self::Known, Self::Skipped, Self::Pass];

    /// Whether it rests on what was seen of the proxy: not where nothing could be told.
    pub const fn is_of_findings(self) -> bool {
        matches!(self, Self::Pass | Self::Fail | Self::Known | Self::Changed)
    }

    /// The word in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Known => "known",
            Self::Changed => "changed",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
            Self::Broken => "broken",
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
