//! Exit codes: an API for scripts. They keep their numbers.

use super::Summary;
use crate::judge::Verdict;

/// Nothing new.
pub const EXIT_OK: u8 = 0;
/// Findings or changes.
pub const EXIT_FINDINGS: u8 = 1;
/// Usage, or a file that does not load.
pub const EXIT_USAGE: u8 = 2;
/// The proxy could not be installed or started.
pub const EXIT_PROXY: u8 = 3;
/// upfault itself broke.
pub const EXIT_BROKE: u8 = 4;
/// Stopped by a signal (128 + SIGINT).
pub const EXIT_INTERRUPTED: u8 = 130;

/// The exit code of a run that got as far as its cases.
///
/// An interrupted run says nothing about the rest, and a broken case nothing about the proxy, so
/// these two come before findings. What is inconclusive is shown as a warning and fails nothing.
pub fn exit_code(summary: &Summary, strict: bool, interrupted: bool) -> u8 {
    if interrupted {
        return EXIT_INTERRUPTED;
    }
    let code = |verdict| match verdict {
        Verdict::Broken => EXIT_BROKE,
        Verdict::Fail | Verdict::Changed => EXIT_FINDINGS,
        Verdict::Known if strict => EXIT_FINDINGS,
        Verdict::Known | Verdict::Inconclusive | Verdict::Skipped | Verdict::Pass => EXIT_OK,
    };
    Verdict::ALL.into_iter().filter(|verdict| summary.count(*verdict) > 0).map(code).max().unwrap_or(EXIT_OK)
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
        ] {
            assert_eq!(exit_code(&summary, false, false), loose, "{summary:?}");
            assert_eq!(exit_code(&summary, true, false), strict, "{summary:?}");
            assert_eq!(exit_code(&summary, true, true), 130);
        }
    }
}
