//! The report for people.

use std::io::{self, Write};

use anstyle::Style;

use super::{
    FailureOutput, RecordedRun, Reporter, Summary, Verbosity,
    gateway_properties::gateway_properties,
    missing_siblings::alone,
    outline::stopped,
    paint::{Painter, safe, verdict_style},
    rerun::Rerun,
    stops::stop_lines,
    terminal_case::{LATE_MS, seconds, show},
    terminal_failures,
    terminal_groups::{
        Findings, GroupHeading, by_reason, by_rule, count, eased, in_kinds, plural, properties, rules_of,
        select,
    },
    terminal_known::by_issue,
    terminal_matrix, terminal_models,
    terminal_snapshots::show_written,
};
use crate::{
    event::{CaseReport, LogLeak},
    judge::Verdict,
    snapshot::KnownClaim,
};

/// How many cases are shown in full.
const IN_FULL: usize = 10;

/// The order of verdicts in the summary line.
const IN_SUMMARY: [Verdict; 7] = [
    Verdict::Pass,
    Verdict::Known,
    Verdict::Changed,
    Verdict::Fail,
    Verdict::Inconclusive,
    Verdict::Skipped,
    Verdict::Broken,
];

/// Properties of the terminal and options of the user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TerminalSettings {
    /// Whether to use colour.
    pub color: bool,
    /// Width in columns; 0 means no limit.
    pub width: usize,
    /// How much is printed.
    pub verbosity: Verbosity,
    /// Which failing cases are printed in full.
    pub failures: FailureOutput,
    /// Whether known findings fail the run too.
    pub strict: bool,
}

/// Prints a run for people.
pub(crate) struct TerminalReporter<W> {
    out: W,
    settings: TerminalSettings,
}

/// Prints cases in full, with the commands that run them again.
pub(crate) fn write_cases(
    out: &mut dyn Write,
    settings: TerminalSettings,
    cases: &[&CaseReport],
    rerun: Option<&Rerun>,
) -> io::Result<()> {
    let mut painter = Painter::new(out, settings.color, settings.width);
    for (n, case) in cases.iter().enumerate() {
        if n > 0 {
            painter.gap()?;
        }
        show(&mut painter, case, rerun, &[])?;
    }
    Ok(())
}

impl<W: Write> TerminalReporter<W> {
    /// Writes results to `out`.
    pub(crate) fn new(out: W, settings: TerminalSettings) -> Self {
        Self { out, settings }
    }
}

/// `400 pass, 9 known, 3 fail`, without verdicts that no case has.
fn counts(summary: &Summary, paint: impl Fn(Verdict, String) -> String) -> String {
    let parts: Vec<String> = IN_SUMMARY
        .into_iter()
        .filter(|verdict| summary.count(*verdict) > 0)
        .map(|verdict| paint(verdict, format!("{} {verdict}", summary.count(verdict))))
        .collect();
    parts.join(", ")
}

/// The text about a run.
struct TerminalText<'r> {
    settings: TerminalSettings,
    run: &'r RecordedRun,
}

impl<'r> TerminalText<'r> {
    /// Everything above the last lines.
    fn results(&self, out: &mut dyn Write) -> io::Result<()> {
        let TerminalSettings { color, width, verbosity, failures, strict, .. } = self.settings;
        let verbose = verbosity >= Verbosity::Verbose;
        let mut painter = Painter::new(out, color, width);
        let report = &self.run.report;
        let shard = report.selection.shard.as_ref();
        let shard = shard.map(|shard| format!(" (shard {shard} of {})", shard.cases)).unwrap_or_default();
        let line = format!(
            "Testing {}: {}{shard}, policy {}, seed {}",
            report.proxy,
            plural(self.run.planned, "case"),
            report.policy,
            report.seed
        );
        painter.text(0, Style::new(), &safe(&line))?;
        let shared = gateway_properties(&report.cases);
        if let Some(baseline) = &self.run.baseline {
            painter.field(0, "Baseline: ", &safe(&baseline.describe()))?;
        }
        if verbose && report.summary.pass > 0 {
            painter.gap()?;
            for case in self.of(&[Verdict::Pass]) {
                if verbosity == Verbosity::Full {
                    show(&mut painter, &self.run.complete(case)?, report.rerun.as_ref(), &shared)?;
                    painter.gap()?;
                    continue;
                }
                let word = painter.styled(verdict_style(Verdict::Pass), "PASS");
                painter.raw(&format!("{word} {} ({})", safe(&case.id), seconds(case.duration_ms)))?;
            }
        }
        let mut bad = Vec::new();
        for verdict in [Verdict::Broken, Verdict::Fail, Verdict::Changed, Verdict::Inconclusive] {
            bad.extend(self.of(&[verdict]));
        }
        let (shown, rest) = match failures {
            FailureOutput::All => (bad, Vec::new()),
            FailureOutput::First => select(bad, IN_FULL),
            FailureOutput::None => (Vec::new(), bad),
        };
        for case in &shown {
            painter.gap()?;
            show(&mut painter, &self.run.complete(case)?, report.rerun.as_ref(), &shared)?;
        }
        if !rest.is_empty() {
            painter.gap()?;
            let line = format!("{} (-v shows each in full), by kind:", plural(rest.len(), "more case"));
            painter.text(0, Style::new().bold(), &line)?;
            in_kinds(&mut painter, &rest)?;
        }
        let failed = self.of(&[Verdict::Fail, Verdict::Changed]);
        if failed.len() > 1 {
            let note = "broken, and not accepted before; `upfault explain RULE` explains a rule";
            let group =
                GroupHeading { heading: "NEW", style: verdict_style(Verdict::Fail), note, listed: true };
            by_rule(&mut painter, &group, &failed, Findings::New, &shared)?;
        }
        let known = self.of(&[Verdict::Known]);
        let is_explained = known.iter().any(|case| case.known.iter().any(KnownClaim::explains));
        let note = match (strict, is_explained) {
            (false, false) => "already accepted, do not fail the run",
            (false, true) => "accepted or explained by an issue, do not fail the run",
            (true, _) => "already accepted, fail a strict run",
        };
        let style = verdict_style(Verdict::Known);
        let group = GroupHeading { heading: "KNOWN", style, note, listed: verbose };
        by_rule(&mut painter, &group, &known, Findings::Required, &shared)?;
        let all: Vec<&CaseReport> = report.cases.iter().collect();
        by_issue(&mut painter, &all)?;
        if count(&all, Findings::Advice, &shared) > 0 {
            let note = "not required, do not fail the run";
            let group = GroupHeading { heading: "ADVICE", style: Style::new().bold(), note, listed: verbose };
            by_rule(&mut painter, &group, &all, Findings::Advice, &shared)?;
        }
        properties(&mut painter, &shared)?;
        eased(&mut painter, &all)?;
        self.unsteady(&mut painter)?;
        terminal_matrix::smoke(&mut painter, &all, verbose)?;
        terminal_models::by_model(&mut painter, &all)?;
        // A single inconclusive case has already been shown with its reason.
        if report.summary.inconclusive > 1 {
            let note = "upfault could not decide; the reasons are";
            let style = verdict_style(Verdict::Inconclusive);
            let group = GroupHeading { heading: "INCONCLUSIVE", style, note, listed: true };
            by_reason(&mut painter, &group, Verdict::Inconclusive, &all, verbose)?;
        }
        let note = "the proxy cannot be configured for them";
        let style = verdict_style(Verdict::Skipped);
        // If nothing ran, the reasons are the result.
        let listed = verbose || report.summary.skipped == report.summary.cases();
        let group = GroupHeading { heading: "SKIPPED", style, note, listed };
        by_reason(&mut painter, &group, Verdict::Skipped, &all, verbose)
    }

    /// Cases that pass or are known although their repetitions differed. Every other case is shown with its reason anyway.
    fn unsteady(&self, painter: &mut Painter<'_>) -> io::Result<()> {
        let quiet = self.of(&[Verdict::Pass, Verdict::Known]);
        let unsteady: Vec<_> = quiet.iter().filter_map(|case| Some((case, case.reason.as_ref()?))).collect();
        if unsteady.is_empty() {
            return Ok(());
        }
        painter.gap()?;
        let note = "the proxy's behaviour differed between repetitions of a case; these cases do not fail";
        painter.field(0, "UNSTEADY ", note)?;
        for (case, reason) in unsteady {
            painter.text(2, Style::new(), &safe(&format!("{}: {reason}", case.id)))?;
        }
        Ok(())
    }

    /// Failing cases, counts, warnings and the next step.
    fn last_lines(&self, out: &mut dyn Write) -> io::Result<()> {
        let TerminalSettings { color, width, .. } = self.settings;
        let RecordedRun { report, end, .. } = self.run;
        let summary = &report.summary;
        let mut painter = Painter::new(out, color, width);
        painter.gap()?;
        terminal_failures::names(
            &mut painter,
            &self.of(&[Verdict::Broken, Verdict::Fail, Verdict::Changed]),
        )?;
        if let Some(line) = stopped(self.run) {
            painter.text(0, verdict_style(Verdict::Broken), &line)?;
        }
        let counts = counts(summary, |verdict, text| painter.styled(verdict_style(verdict), &text));
        let counts = if counts.is_empty() { String::new() } else { format!(": {counts}") };
        painter.raw(&format!("{}{counts}", plural(summary.cases(), "case")))?;
        painter.text(0, Style::new(), &self.times())?;
        if let Some(phases) = self.phases() {
            painter.text(0, Style::new(), &phases)?;
        }
        if summary.inconclusive > 0 {
            let cases = plural(summary.inconclusive, "case");
            let line = format!(
                "warning: {cases} inconclusive, for the reasons above: upfault could not decide whether they pass"
            );
            painter.text(0, verdict_style(Verdict::Inconclusive), &line)?;
        }
        for line in stop_lines(&end.stops) {
            painter.text(0, verdict_style(Verdict::Fail), &safe(&line))?;
        }
        for leak in &end.log_leaks {
            let LogLeak { log, secret, lines, first_line } = leak;
            let lines = match *lines {
                1 => String::new(),
                lines => format!(" and {} more", lines - 1),
            };
            let line = format!(
                "warning: the proxy's log contains {}: {log}, line {first_line}{lines}",
                secret.describe()
            );
            painter.text(0, verdict_style(Verdict::Inconclusive), &safe(&line))?;
        }
        if let Some(alone) = alone(&report.cases) {
            painter.text(0, Style::new(), &safe(&format!("note: {alone}")))?;
        }
        let sped_up = report.cases.iter().filter(|case| case.speedup.is_some()).count();
        if sped_up > 0 {
            let line = format!(
                "note: {} ran with shorter times than in the file (`speedup`)",
                plural(sped_up, "case")
            );
            painter.text(0, Style::new(), &line)?;
        }
        for note in &end.notes {
            painter.text(0, Style::new(), &safe(&format!("note: {note}")))?;
        }
        show_written(&mut painter, end, report.rerun.as_ref())?;
        let failed = self.of(&[Verdict::Fail, Verdict::Changed]);
        // A review is the next step after mere changes; where no snapshot is written, as in CI, there is nothing to review.
        let breaks_rules = failed.iter().any(|case| !rules_of(case).is_empty());
        let is_kept = !end.pending.is_empty() || end.unkept > 0;
        if end.accepted.is_none() && (breaks_rules || !is_kept) {
            terminal_failures::next_step(&mut painter, &failed, report.rerun.as_ref())?;
        }
        Ok(())
    }

    /// Where the time of a run went with a proxy that upfault started.
    fn phases(&self) -> Option<String> {
        let summary = &self.run.report.summary;
        let times = &summary.times;
        let start = summary.proxy_start_ms?;
        let cpu = times.proxy_cpu_ms?;
        let mut line = format!(
            "time: installation {}, first instance ready after {}, all after {}, cases {}",
            seconds(times.install_ms),
            seconds(times.first_ready_ms),
            seconds(start),
            seconds(summary.wall_ms)
        );
        if times.repeated > 0 {
            line.push_str(&format!(
                ", {} repetitions {} in total",
                times.repeated,
                seconds(times.repeated_ms)
            ));
        }
        line.push_str(&format!("; the proxy used {} of CPU time", seconds(cpu)));
        Some(line)
    }

    fn times(&self) -> String {
        let summary = &self.run.report.summary;
        let mut line = format!("wall {}", seconds(summary.wall_ms));
        if let Some(slowest) = &summary.slowest {
            line.push_str(&format!(", slowest case {} ({})", seconds(slowest.ms), safe(&slowest.id)));
            line.push_str(&format!(", total case time {}", seconds(summary.sum_ms)));
        }
        if let Some(start) = summary.proxy_start_ms {
            line.push_str(&format!(", proxy start {}", seconds(start)));
        }
        if summary.timer_error_ms >= LATE_MS {
            line.push_str(&format!(", injected delays up to {:.1}ms late", summary.timer_error_ms));
        }
        line
    }

    fn of(&self, verdicts: &[Verdict]) -> Vec<&'r CaseReport> {
        self.run.report.cases.iter().filter(|case| verdicts.contains(&case.verdict)).collect()
    }
}

impl<W: Write> Reporter for TerminalReporter<W> {
    /// Prints the results. Not earlier: their order must not depend on the speed of the cases.
    fn finish(&mut self, run: &RecordedRun) -> io::Result<()> {
        let text = TerminalText { settings: self.settings, run };
        let mut out = Vec::new();
        if self.settings.verbosity > Verbosity::Quiet {
            text.results(&mut out)?;
        }
        text.last_lines(&mut out)?;
        self.out.write_all(&out)?;
        self.out.flush()
    }
}

#[cfg(test)]
pub(super) mod tests;
