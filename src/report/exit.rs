//! Exit codes. Scripts rely on them: they never change.

use super::Summary;
use crate::judge::Verdict;

/// No new findings.
pub(crate) const EXIT_OK: u8 = 0;
/// Findings or changes.
pub(crate) const EXIT_FINDINGS: u8 = 1;
/// Invalid usage, or a file that does not load.
pub(crate) const EXIT_USAGE: u8 = 2;
/// The proxy could not be installed, started or kept running.
pub(crate) const EXIT_PROXY: u8 = 3;
/// upfault itself failed.
pub(crate) const EXIT_BROKE: u8 = 4;
/// Stopped by a signal (128 + SIGINT).
pub(crate) const EXIT_INTERRUPTED: u8 = 130;

/// How many inconclusive cases a run may have without failing: on a busy machine there are sometimes one or two.
pub(crate) const ALLOWED_INCONCLUSIVE: usize = 5;

/// How often the proxy may stop without a case that makes it stop again: an interpreter or a runtime crashes once in
/// hundreds of thousands of requests. Each such stop also counts as an inconclusive case.
const ALLOWED_UNEXPLAINED_STOPS: usize = 1;

/// What a run tolerates without failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tolerance {
    /// Whether known findings fail the run too.
    pub strict: bool,
    /// The run fails if more cases than these are inconclusive.
    pub inconclusive: usize,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { strict: false, inconclusive: ALLOWED_INCONCLUSIVE }
    }
}

/// The exit code of a run that started its cases.
///
/// An interruption and a failure of upfault itself take precedence over findings, because the run is incomplete. A
/// run with too many inconclusive cases, or with repeated stops of the proxy that no case explains, fails, so that it is not
/// mistaken for a run without findings.
pub(crate) fn exit_code(summary: &Summary, tolerance: Tolerance, interrupted: bool) -> u8 {
    if interrupted {
        return EXIT_INTERRUPTED;
    }
    let Tolerance { strict, inconclusive } = tolerance;
    let stops = summary.unexplained_stops;
    let allowed_stops = if strict { 0 } else { ALLOWED_UNEXPLAINED_STOPS };
    let fails_otherwise = stops > allowed_stops || summary.inconclusive + stops > inconclusive;
    let least = if fails_otherwise { EXIT_FINDINGS } else { EXIT_OK };
    let code = |verdict| match verdict {
        Verdict::Broken => EXIT_BROKE,
        Verdict::Fail | Verdict::Changed => EXIT_FINDINGS,
        Verdict::Known if strict => EXIT_FINDINGS,
        Verdict::Known | Verdict::Inconclusive | Verdict::Skipped | Verdict::Pass => EXIT_OK,
    };
    Verdict::ALL.into_iter().filter(|verdict| summary.count(*verdict) > 0).map(code).fold(least, u8::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_decides() {
        for (summary, loose, strict) in [
            (Summary::default(), 0, 0),
            (Summary { pass: 9, skipped: 1, inconclusive: 1, ..Summary::default() }, 0, 0),
            (Summary { pass: 9, known: 1, ..Summary::default() }, 0, 1),
            (Summary { pass: 9, changed: 1, ..Summary::default() }, 1, 1),
            (Summary { fail: 1, ..Summary::default() }, 1, 1),
            (Summary { fail: 1, broken: 1, ..Summary::default() }, 4, 4),
            (Summary { pass: 9, inconclusive: ALLOWED_INCONCLUSIVE, ..Summary::default() }, 0, 0),
            (Summary { pass: 9, inconclusive: ALLOWED_INCONCLUSIVE + 1, ..Summary::default() }, 1, 1),
            (Summary { pass: 9, unexplained_stops: 1, ..Summary::default() }, 0, 1),
            (Summary { pass: 9, unexplained_stops: 2, ..Summary::default() }, 1, 1),
            (
                Summary { unexplained_stops: 1, inconclusive: ALLOWED_INCONCLUSIVE, ..Summary::default() },
                1,
                1,
            ),
        ] {
            let (lenient, severe) =
                (Tolerance::default(), Tolerance { strict: true, ..Tolerance::default() });
            assert_eq!(exit_code(&summary, lenient, false), loose, "{summary:?}");
            assert_eq!(exit_code(&summary, severe, false), strict, "{summary:?}");
            assert_eq!(exit_code(&summary, severe, true), 130);
        }
    }
}
