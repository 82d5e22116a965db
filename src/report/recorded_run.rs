//! A run that is over. Complete cases are in a temporary file, because there can be too many for the memory.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
};

use super::{
    json::{Report, ReportBuilder},
    rerun::Rerun,
};
use crate::event::{CaseReport, Event, RunFinished};

/// A run that is over, for everything that reports it.
pub(crate) struct RecordedRun {
    /// The run. Its cases are brief: they have no observation, and nothing that follows from it.
    pub(crate) report: Report,
    /// The number of planned cases. If the run was interrupted, fewer have a verdict.
    pub(crate) planned: usize,
    /// What the run did at its end.
    pub(crate) end: RunFinished,
    complete: CaseFile,
}

impl RecordedRun {
    /// All cases in full, sorted by id. Only those that the caller keeps stay in memory.
    pub(crate) fn cases(&self) -> impl Iterator<Item = io::Result<CaseReport>> {
        self.report.cases.iter().map(|case| self.complete(case))
    }

    /// A case in full.
    pub(crate) fn complete(&self, brief: &CaseReport) -> io::Result<CaseReport> {
        self.complete.read(&brief.id)
    }
}

/// Records the events of a run.
pub(super) struct RunRecorder {
    report: ReportBuilder,
    planned: usize,
    complete: CaseFile,
}

impl RunRecorder {
    /// Keeps complete cases in an unnamed file in `folder`, which disappears with the process.
    pub(super) fn new(folder: &Path, rerun: Option<Rerun>) -> io::Result<Self> {
        Ok(Self { report: ReportBuilder::with_rerun(rerun), planned: 0, complete: CaseFile::new(folder)? })
    }

    /// Adds an event. The events of a run come in their order.
    pub(super) fn add(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::CaseFinished(case) => {
                self.report.add_case(case, case.brief());
                return self.complete.write(case);
            }
            Event::RunStarted(started) => self.planned = started.cases,
            _ => {}
        }
        self.report.add(event);
        Ok(())
    }

    /// The run, which ended with `end`.
    pub(super) fn finish(self, end: &RunFinished) -> RecordedRun {
        let Self { report, planned, complete } = self;
        RecordedRun { report: report.finish(), planned, end: end.clone(), complete }
    }
}

/// Cases in a file, each as JSON.
struct CaseFile {
    file: File,
    /// The number of bytes in the file.
    length: u64,
    /// The start and the length of each case, by id.
    places: HashMap<String, (u64, usize)>,
}

impl CaseFile {
    fn new(folder: &Path) -> io::Result<Self> {
        let file =
            tempfile::tempfile_in(folder).map_err(|error| explained("create a file in", folder, &error))?;
        Ok(Self { file, length: 0, places: HashMap::new() })
    }

    fn write(&mut self, case: &CaseReport) -> io::Result<()> {
        let text = serde_json::to_vec(case)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&text)?;
        self.places.insert(case.id.clone(), (self.length, text.len()));
        self.length += text.len() as u64;
        Ok(())
    }

    fn read(&self, id: &str) -> io::Result<CaseReport> {
        let no_case = || io::Error::other(format!("the case {id} was not recorded"));
        let (start, length) = *self.places.get(id).ok_or_else(no_case)?;
        let mut text = vec![0; length];
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

fn explained(what: &str, folder: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {what} {}: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        judge::Verdict,
        report::terminal::tests::{case, failing, finish, started},
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
