//! How far a run is: a bar on a terminal, otherwise a line from time to time.

use std::{
    collections::HashSet,
    io::{self, Write},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::{RecordedRun, Reporter, paint::safe, terminal_groups::plural};
use crate::{event::Event, shard::CaseCosts};

/// How often a run without a terminal says how far it is.
pub(crate) const PROGRESS_INTERVAL: Duration = Duration::from_secs(30);

/// Before this time, and before this part of the work is done, the rest cannot be estimated.
const TOO_EARLY: Duration = Duration::from_secs(3);
const TOO_LITTLE: f64 = 0.02;

/// Shows how far a run is on standard error.
pub(crate) struct ProgressReporter {
    progress: RunProgress,
    target: ProgressTarget,
}

/// Where progress is shown.
enum ProgressTarget {
    /// A bar on a terminal.
    Bar(Option<ProgressBar>),
    /// Lines in a log.
    Lines(Box<dyn Write + Send>),
}

impl ProgressReporter {
    /// Draws a bar on standard error.
    pub(crate) fn bar(costs: CaseCosts) -> Self {
        Self { progress: RunProgress::new(costs), target: ProgressTarget::Bar(None) }
    }

    /// Writes lines to `log`: each step of the preparation, because an installation takes minutes, and then how far the
    /// run is.
    pub(crate) fn lines(costs: CaseCosts, log: Box<dyn Write + Send>) -> Self {
        Self { progress: RunProgress::new(costs), target: ProgressTarget::Lines(log) }
    }
}

impl Reporter for ProgressReporter {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        let now = Instant::now();
        self.progress.add(event, now);
        match &mut self.target {
            ProgressTarget::Lines(log) => match event {
                Event::ProxyProgress(line) => writeln!(log, "{}", safe(line)),
                _ => Ok(()),
            },
            ProgressTarget::Bar(bar) => {
                match (event, bar) {
                    (Event::RunStarted(started), bar) => *bar = Some(start_bar(started.cases)),
                    (Event::ProxyProgress(line), Some(bar)) => bar.set_message(safe(line)),
                    (_, Some(bar)) => {
                        bar.set_position(self.progress.done as u64);
                        bar.set_message(self.progress.message(now));
                    }
                    (_, None) => {}
                }
                Ok(())
            }
        }
    }

    fn tick(&mut self) -> io::Result<()> {
        let line = self.progress.line(Instant::now());
        match (&mut self.target, line) {
            (ProgressTarget::Lines(log), Some(line)) => writeln!(log, "{line}"),
            _ => Ok(()),
        }
    }

    fn finish(&mut self, _: &RecordedRun) -> io::Result<()> {
        if let ProgressTarget::Bar(Some(bar)) = &self.target {
            bar.finish_and_clear();
        }
        Ok(())
    }
}

fn start_bar(cases: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(cases as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos}/{len} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// What a run has done so far. Pure: the caller passes the time.
struct RunProgress {
    costs: CaseCosts,
    /// The cost of all cases.
    total: u64,
    cases: usize,
    done: usize,
    failed: usize,
    running: HashSet<String>,
    /// When the first case started.
    began: Option<Instant>,
    /// The cost of the cases that are done.
    cost: u64,
}

impl RunProgress {
    fn new(costs: CaseCosts) -> Self {
        Self {
            total: costs.total(),
            costs,
            cases: 0,
            done: 0,
            failed: 0,
            running: HashSet::new(),
            began: None,
            cost: 0,
        }
    }

    fn add(&mut self, event: &Event, now: Instant) {
        match event {
            Event::RunStarted(started) => self.cases = started.cases,
            Event::CaseStarted { id } => {
                self.began.get_or_insert(now);
                self.running.insert(id.clone());
            }
            Event::CaseFinished(case) => {
                self.running.remove(&case.id);
                self.done += 1;
                self.failed += usize::from(case.verdict.is_failure());
                self.cost += self.costs.of(&case.id);
            }
            Event::ProxyProgress(_) | Event::ProxyReady { .. } | Event::RunFinished(_) => {}
        }
    }

    /// `412 of 1661 cases, 3 failed, about 2 min left`; `None` before the first case starts.
    fn line(&self, now: Instant) -> Option<String> {
        self.began?;
        let left = self.left(now).map(|left| format!(", {left}")).unwrap_or_default();
        Some(format!("{} of {}, {} failed{left}", self.done, plural(self.cases, "case"), self.failed))
    }

    /// `12 running, 3 failed, about 2 min left`
    fn message(&self, now: Instant) -> String {
        let left = self.left(now).map(|left| format!(", {left}")).unwrap_or_default();
        format!("{} running, {} failed{left}", self.running.len(), self.failed)
    }

    fn left(&self, now: Instant) -> Option<String> {
        let elapsed = now.duration_since(self.began?);
        rest(elapsed, self.cost, self.total).map(about)
    }
}

/// How long the rest of the work takes if it goes on as fast as before; `None` if it is too early to say. `done` and
/// `total` are in the same unit.
fn rest(elapsed: Duration, done: u64, total: u64) -> Option<Duration> {
    let part = done.min(total) as f64 / total.max(1) as f64;
    if elapsed < TOO_EARLY || part < TOO_LITTLE {
        return None;
    }
    Duration::try_from_secs_f64(elapsed.as_secs_f64() * (1.0 - part) / part).ok()
}

/// A rough time: `a few seconds left`, `about 40 s left`, `about 2 min left`.
fn about(left: Duration) -> String {
    match left.as_secs() {
        0..10 => "a few seconds left".to_owned(),
        seconds @ 10..90 => format!("about {} s left", seconds.next_multiple_of(10)),
        seconds => format!("about {} min left", (seconds + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        judge::Verdict,
        report::sample::{case, started},
    };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_rest_takes_as_long_as_the_work_that_is_done() {
        assert_eq!(rest(seconds(60), 25, 100), Some(seconds(180)));
        assert_eq!(rest(seconds(60), 100, 100), Some(Duration::ZERO));
        assert_eq!(rest(seconds(60), 120, 100), Some(Duration::ZERO), "the durations were wrong");
    }

    #[test]
    fn nothing_is_said_too_early() {
        assert_eq!(rest(seconds(2), 50, 100), None);
        assert_eq!(rest(seconds(60), 1, 100), None);
        assert_eq!(rest(seconds(60), 0, 0), None);
    }

    #[test]
    fn times_are_rough() {
        let shown: Vec<String> = [0, 9, 10, 41, 89, 90, 149, 3600].map(|n| about(seconds(n))).into();
        assert_eq!(
            shown,
            [
                "a few seconds left",
                "a few seconds left",
                "about 10 s left",
                "about 50 s left",
                "about 90 s left",
                "about 2 min left",
                "about 2 min left",
                "about 60 min left"
            ]
        );
    }

    proptest! {
        #[test]
        fn the_estimate_shrinks_as_work_gets_done(elapsed in 3u64..10_000, total in 1u64..1_000_000, a in any::<u64>(), b in any::<u64>()) {
            let (a, b) = (a % (total + 1), b % (total + 1));
            let (less, more) = (a.min(b), a.max(b));
            if let Some(long) = rest(seconds(elapsed), less, total) {
                let short = rest(seconds(elapsed), more, total).expect("more work is done");
                prop_assert!(short <= long);
            }
        }
    }

    /// A run of four cases, of which the last takes as long as the others together.
    fn run(began: Instant) -> RunProgress {
        let costs = [("a", 1), ("b", 1), ("c", 1), ("d", 3)].map(|(id, cost)| (id.to_owned(), cost));
        let mut progress = RunProgress::new(costs.into_iter().collect());
        progress.add(&started(4), began);
        for id in ["a", "b", "c", "d"] {
            progress.add(&Event::CaseStarted { id: id.to_owned() }, began);
        }
        progress
    }

    #[test]
    fn the_line_counts_cases_and_failures_and_weighs_the_rest_by_durations() {
        let began = Instant::now();
        let mut progress = run(began);
        assert_eq!(progress.message(began), "4 running, 0 failed");
        for (id, verdict) in [("a", Verdict::Pass), ("b", Verdict::Fail), ("c", Verdict::Known)] {
            progress.add(&Event::CaseFinished(Arc::new(case(id, verdict))), began);
        }
        let now = began + seconds(120);
        assert_eq!(progress.line(now).as_deref(), Some("3 of 4 cases, 1 failed, about 2 min left"));
        assert_eq!(progress.message(now), "1 running, 1 failed, about 2 min left");
        // A case that is repeated still runs.
        progress.add(&Event::CaseStarted { id: "d".to_owned() }, now);
        assert_eq!(progress.message(now), "1 running, 1 failed, about 2 min left");
    }

    #[test]
    fn nothing_is_counted_before_the_first_case_starts() {
        let now = Instant::now();
        let mut progress = RunProgress::new(CaseCosts::default());
        progress.add(&started(4), now);
        assert_eq!(progress.line(now), None);
    }
}
