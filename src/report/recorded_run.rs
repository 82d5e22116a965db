//! A run that is over. Complete cases are in a temporary file, because there can be too many for the memory.

use std::{collections::HashMap, io, path::Path};

use super::{
    json::{Report, ReportBuilder},
    rerun::Rerun,
    source_root::SourceRoot,
};
use crate::{
    event::{Baseline, CaseReport, Event, RunFinished},
    spool::{Spool, SpoolPlace},
};

/// A run that is over, for everything that reports it.
pub(crate) struct RecordedRun {
    /// The run. Its cases are brief: they have no observation, and nothing that follows from it.
    pub(crate) report: Report,
    /// The number of planned cases. If the run was interrupted, fewer have a verdict.
    pub(crate) planned: usize,
    /// Where the accepted snapshots come from; `None` for a stored run.
    pub(crate) baseline: Option<Baseline>,
    /// What the run did at its end.
    pub(crate) end: RunFinished,
    /// Where the files of its scenarios are in their repository.
    pub(crate) sources: SourceRoot,
    complete: Spool<CaseReport>,
    /// Where each case is, by id.
    places: HashMap<String, SpoolPlace>,
}

impl RecordedRun {
    /// All cases in full, sorted by id. Only those that the caller keeps stay in memory.
    pub(crate) fn cases(&self) -> impl Iterator<Item = io::Result<CaseReport>> {
        self.report.cases.iter().map(|case| self.complete(case))
    }

    /// A case in full.
    pub(crate) fn complete(&self, brief: &CaseReport) -> io::Result<CaseReport> {
        let no_case = || io::Error::other(format!("the case {} was not recorded", brief.id));
        self.complete.read(*self.places.get(&brief.id).ok_or_else(no_case)?)
    }
}

/// Records the events of a run.
pub(super) struct RunRecorder {
    report: ReportBuilder,
    planned: usize,
    baseline: Option<Baseline>,
    sources: SourceRoot,
    complete: Spool<CaseReport>,
    places: HashMap<String, SpoolPlace>,
}

impl RunRecorder {
    /// Keeps complete cases in an unnamed file in `folder`, which disappears with the process.
    pub(super) fn new(folder: &Path, rerun: Option<Rerun>) -> io::Result<Self> {
        let (report, complete) = (ReportBuilder::with_rerun(rerun), Spool::new(folder)?);
        let (sources, places) = (SourceRoot::default(), HashMap::new());
        Ok(Self { report, planned: 0, baseline: None, sources, complete, places })
    }

    /// The same, for a project whose files are in a repository.
    pub(super) fn in_repository(self, sources: SourceRoot) -> Self {
        Self { sources, ..self }
    }

    /// Adds an event. The events of a run come in their order.
    pub(super) fn add(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::CaseFinished(case) => {
                self.report.add_case(case, case.brief());
                self.places.insert(case.id.clone(), self.complete.push(case)?);
                return Ok(());
            }
            Event::RunStarted(started) => {
                self.planned = started.cases;
                self.baseline.clone_from(&started.baseline);
            }
            _ => {}
        }
        self.report.add(event);
        Ok(())
    }

    /// The run, which ended with `end`.
    pub(super) fn finish(self, end: &RunFinished) -> RecordedRun {
        let Self { report, planned, baseline, sources, complete, places } = self;
        RecordedRun {
            report: report.finish(),
            planned,
            baseline,
            end: end.clone(),
            sources,
            complete,
            places,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        judge::Verdict,
        report::sample::{case, failing, finish, started},
    };

    #[test]
    fn brief_cases_are_sorted_and_complete_ones_come_back_as_they_were() {
        let mut recorder = RunRecorder::new(&std::env::temp_dir(), None).unwrap();
        let cases = [failing("b/failing"), case("a/skipped", Verdict::Skipped)];
        recorder.add(&started(3)).unwrap();
        for case in &cases {
            recorder.add(&Event::CaseFinished(Arc::new(case.clone()))).unwrap();
        }
        let Event::RunFinished(end) = finish() else { panic!("not the end") };
        recorder.add(&finish()).unwrap();
        let run = recorder.finish(&end);
        assert_eq!((run.report.summary.fail, run.report.summary.skipped), (1, 1));
        assert_eq!(run.planned, 3);
        let ids: Vec<&str> = run.report.cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(ids, ["a/skipped", "b/failing"]);
        assert!(run.report.cases.iter().all(|case| case.observation.is_none()));
        let complete: Vec<CaseReport> = run.cases().collect::<io::Result<_>>().unwrap();
        assert_eq!(complete, [cases[1].clone(), cases[0].clone()]);
    }
}
