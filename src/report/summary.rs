//! The result of a run in numbers.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    event::{CaseReport, RunFinished, RunTimes},
    judge::Verdict,
};

/// Counts by verdict, and durations in milliseconds.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id.starts_with("limits/rate-limit["));
/// let report = upfault::Suite::new(cases).proxy("builtin:retry-after-dropped")?.run().await?;
/// assert_eq!(report.summary.fail, report.cases.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Summary {
    /// Cases that keep the contract.
    pub pass: usize,
    /// Cases that break the contract.
    pub fail: usize,
    /// Cases that break the contract exactly as the accepted snapshot or a known finding says.
    pub known: usize,
    /// Cases that differ from the accepted snapshot.
    pub changed: usize,
    /// Cases that upfault could not decide.
    pub inconclusive: usize,
    /// Cases that did not run because the proxy cannot be configured for them.
    pub skipped: usize,
    /// Cases in which upfault itself failed.
    pub broken: usize,
    /// From the first request to the last verdict.
    pub wall_ms: f64,
    /// From the start of the command to the end.
    pub total_ms: f64,
    /// From the proxy's first launch until all instances were warm. Absent if upfault did not start the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_start_ms: Option<f64>,
    /// Where the time went.
    #[serde(default)]
    pub times: RunTimes,
    /// The case that took the longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest: Option<Slowest>,
    /// The total duration of all cases.
    pub sum_ms: f64,
    /// Whether the run was stopped before every case had its verdict.
    pub interrupted: bool,
    /// The number of failing cases after which the run was stopped (`--fail-fast`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_fast: Option<usize>,
    /// Whether the proxy stopped serving and was not restarted, so that cases have no verdict.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gave_up: bool,
    /// The largest lateness of an injected delay.
    pub timer_error_ms: f64,
    /// How often the proxy stopped serving without a single case that caused it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unexplained_stops: usize,
}

fn is_zero(n: &usize) -> bool {
    *n == 0
}

/// The case that took the longest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Slowest {
    /// Its id.
    pub id: String,
    /// Milliseconds from its first request to its last byte.
    pub ms: f64,
}

impl Summary {
    /// Adds a case to the counts.
    pub fn add(&mut self, case: &CaseReport) {
        *self.slot(case.verdict) += 1;
        self.sum_ms += case.duration_ms;
        // A stored case that passes may have no observation.
        if case.duration_ms > 0.0 && self.slowest.as_ref().is_none_or(|slowest| case.duration_ms > slowest.ms)
        {
            self.slowest = Some(Slowest { id: case.id.clone(), ms: case.duration_ms });
        }
        self.timer_error_ms = self.timer_error_ms.max(case.timer_error_ms);
    }

    /// Adds what is known only at the end of the run.
    pub fn finish(&mut self, end: &RunFinished) {
        self.wall_ms = end.wall_ms;
        self.total_ms = end.total_ms;
        self.times = end.times;
        self.interrupted = end.interrupted;
        self.fail_fast = end.fail_fast;
        self.gave_up = end.gave_up;
        self.unexplained_stops = end.stops.iter().filter(|stop| stop.case.is_none()).count();
    }

    /// How many cases have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        match verdict {
            Verdict::Pass => self.pass,
            Verdict::Fail => self.fail,
            Verdict::Known => self.known,
            Verdict::Changed => self.changed,
            Verdict::Inconclusive => self.inconclusive,
            Verdict::Skipped => self.skipped,
            Verdict::Broken => self.broken,
        }
    }

    /// How many cases have a verdict.
    pub fn cases(&self) -> usize {
        Verdict::ALL.iter().map(|verdict| self.count(*verdict)).sum()
    }

    fn slot(&mut self, verdict: Verdict) -> &mut usize {
        match verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Fail => &mut self.fail,
            Verdict::Known => &mut self.known,
            Verdict::Changed => &mut self.changed,
            Verdict::Inconclusive => &mut self.inconclusive,
            Verdict::Skipped => &mut self.skipped,
            Verdict::Broken => &mut self.broken,
        }
    }
}
