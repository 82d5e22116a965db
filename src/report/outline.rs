//! A case as lines of plain text, for reports that CI systems show.

use super::{RecordedRun, inert::escaped_lines, json::Report, paint::cut, plural};
use crate::{
    event::CaseReport,
    judge::{Finding, Verdict},
    scenario::Level,
    snapshot::KnownClaim,
};

/// How much of a text is shown, in characters.
const TEXT: usize = 2_000;

/// The required rules that a case breaks, or what has changed.
pub(super) fn rules(case: &CaseReport) -> String {
    let broken: Vec<&str> = case
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Required && case.repeated(finding).is_none())
        .map(|finding| finding.rule.as_str())
        .collect();
    let wrong = case.known.iter().filter(|claim| claim.is_wrong());
    let wrong: Vec<String> = wrong.filter_map(KnownClaim::describe).collect();
    match (broken.is_empty(), case.verdict) {
        _ if !wrong.is_empty() => wrong.join("; "),
        (false, _) => broken.join(", "),
        (true, Verdict::Changed) => "the result differs from the accepted snapshot".to_owned(),
        (true, _) => reason(case),
    }
}

/// Why a case was not judged; empty if it was.
pub(super) fn reason(case: &CaseReport) -> String {
    case.reason.as_deref().map(|reason| cut(reason, TEXT)).unwrap_or_default()
}

/// What a person needs to know about a case: title, findings, difference from the snapshot, and the command that runs it
/// again.
pub(super) fn details(report: &Report, case: &CaseReport) -> String {
    let mut lines = vec![case.title.clone()];
    lines.extend(case.time_note().map(|note| format!("speedup: {note}")));
    lines.extend(case.reason.iter().map(|reason| format!("reason: {}", cut(reason, TEXT))));
    lines.extend(
        case.known
            .iter()
            .filter_map(|claim| Some((claim, claim.describe()?)))
            .map(|(claim, line)| format!("known: {line}; {}", claim.issue)),
    );
    for finding in &case.findings {
        if let Some(rule) = case.repeated(finding) {
            let Finding { rule: own, level, expected, .. } = finding;
            lines.push(format!("{own} ({level}): expected {}; see {rule}", cut(expected, TEXT)));
            continue;
        }
        lines.push(format!("{} ({})", finding.rule, finding.level));
        lines.push(format!("  expected: {}", cut(&finding.expected, TEXT)));
        lines.push(format!("  observed: {}", cut(&finding.observed, TEXT)));
    }
    lines.extend(case.change.iter().flat_map(|change| change.diff.lines()).map(str::to_owned));
    lines.extend(report.rerun.iter().map(|rerun| format!("again: {}", rerun.command(case).join(" "))));
    escaped_lines(&lines.join("\n"))
}

/// Why cases have no verdict, and how many; `None` if the run is complete.
pub(super) fn stopped(run: &RecordedRun) -> Option<String> {
    let why = match (run.end.interrupted, run.end.fail_fast) {
        (true, _) => "interrupted".to_owned(),
        (false, Some(limit)) => format!("stopped after {} (--fail-fast)", plural(limit, "failing case")),
        (false, None) => return None,
    };
    let left = run.planned.saturating_sub(run.report.summary.cases());
    let counts = format!("{left} of {} have no verdict", plural(run.planned, "case"));
    (left > 0 || run.end.interrupted).then(|| format!("{why}: {counts}"))
}

/// The cases that fail a run, the worst first.
pub(super) fn failing(report: &Report) -> Vec<&CaseReport> {
    let of = |verdict: Verdict| report.cases.iter().filter(move |case| case.verdict == verdict);
    [Verdict::Broken, Verdict::Fail, Verdict::Changed].into_iter().flat_map(of).collect()
}
