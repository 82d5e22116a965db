//! Findings, and the verdict of a case.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::PolicyAnswer;
use crate::scenario::Level;

/// A rule that the proxy broke in a case.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/rate-limit["));
/// let report = upfault::Suite::new(cases).proxy("builtin:retry-after-dropped")?.run().await?;
/// let finding = &report.cases[0].findings[0];
/// assert_eq!((finding.rule.as_str(), finding.level), ("headers.retry-after", upfault::Level::Required));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Finding {
    /// The rule's id: `status.mirrored`.
    pub rule: String,
    /// The weaker of the levels of the rule and the scenario.
    pub level: Level,
    /// The expected behaviour, in one line.
    pub expected: String,
    /// The observed behaviour, in one line.
    pub observed: String,
    /// Evidence that a person can check: parts of the traffic on either side.
    pub evidence: Vec<String>,
    /// The policy answers that cause the finding or make it stricter than under the default policy. Empty if the
    /// default policy makes the same finding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<PolicyAnswer>,
    /// For a broken expectation: the rule of the contract that is broken by the same facts, so that reports show them only
    /// once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<String>,
}

/// The verdict of a case.
///
/// # Examples
///
/// ```
/// use upfault::Verdict;
///
/// assert!(Verdict::Known.is_of_findings());
/// assert_eq!(Verdict::Inconclusive.to_string(), "inconclusive");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The proxy keeps the contract.
    Pass,
    /// The proxy breaks the contract, and no accepted snapshot contains that.
    Fail,
    /// The proxy breaks the contract exactly as the accepted snapshot says, or a known finding explains it.
    Known,
    /// The observation differs from the accepted snapshot.
    Changed,
    /// upfault could not decide; the report gives the reason.
    Inconclusive,
    /// The proxy cannot be configured the way the case needs; the report gives the reason.
    Skipped,
    /// upfault itself failed. This says nothing about the proxy.
    Broken,
}

impl Verdict {
    /// All verdicts, the worst first.
    pub const ALL: [Self; 7] =
        [Self::Broken, Self::Fail, Self::Changed, Self::Inconclusive, Self::Known, Self::Skipped, Self::Pass];

    /// Whether the verdict is a judgement of the proxy, unlike inconclusive, skipped and broken.
    pub const fn is_of_findings(self) -> bool {
        matches!(self, Self::Pass | Self::Fail | Self::Known | Self::Changed)
    }

    /// Whether a case with this verdict fails the run.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Broken | Self::Fail | Self::Changed)
    }

    /// The name in reports.
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
