//! Report formats, and the reporter that writes a report in one of them.

use std::{
    fmt,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::{RecordedRun, Reporter, github, json, junit, markdown};
use crate::snapshot::write_atomically_with;

/// A format in which a report can be written: one row in [`ReportFormat::ALL`] and one file.
#[derive(Clone, Copy)]
pub(crate) struct ReportFormat {
    /// The name in `--report NAME=PATH`.
    pub(crate) name: &'static str,
    render: fn(&RecordedRun, &mut dyn Write) -> io::Result<()>,
}

impl ReportFormat {
    /// All formats.
    pub(crate) const ALL: [Self; 5] = [
        Self { name: "json", render: json::render_lean },
        Self { name: "json-full", render: json::render_full },
        Self { name: "junit", render: junit::render },
        Self { name: "markdown", render: markdown::render },
        Self { name: "github", render: github::render },
    ];

    /// The format with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name == name)
    }
}

impl fmt::Debug for ReportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for ReportFormat {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for ReportFormat {}

/// Where a report is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReportTarget {
    /// Standard output.
    Stdout,
    /// A file. It is replaced atomically, and its folder is created if needed.
    File(PathBuf),
}

/// Writes a report at the end of a run.
pub(crate) struct FileReporter {
    format: ReportFormat,
    target: ReportTarget,
}

impl FileReporter {
    /// Writes to `target`.
    pub(crate) fn new(format: ReportFormat, target: ReportTarget) -> Self {
        Self { format, target }
    }
}

impl Reporter for FileReporter {
    fn finish(&mut self, run: &RecordedRun) -> io::Result<()> {
        let render = self.format.render;
        match &self.target {
            ReportTarget::Stdout => {
                let mut out = BufWriter::new(io::stdout().lock());
                render(run, &mut out)?;
                out.flush()
            }
            ReportTarget::File(path) => {
                write_atomically_with(path, |out| render(run, out)).map_err(|error| unwritable(path, &error))
            }
        }
    }
}

fn unwritable(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write the report {}: {error}", path.display()))
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        event::{CaseReport, Event},
        report::{
            recorded_run::RunRecorder,
            terminal::tests::{finish, started},
        },
    };

    /// A run with these cases.
    pub(in crate::report) fn recorded(cases: Vec<CaseReport>) -> RecordedRun {
        let mut recorder = RunRecorder::new(&std::env::temp_dir(), None).unwrap();
        recorder.add(&started(cases.len())).unwrap();
        cases.into_iter().for_each(|case| recorder.add(&Event::CaseFinished(Arc::new(case))).unwrap());
        let Event::RunFinished(end) = finish() else { panic!("not the end") };
        recorder.add(&finish()).unwrap();
        recorder.finish(&end)
    }

    /// Renders a run with these cases.
    pub(in crate::report) fn rendered(format: &str, cases: Vec<CaseReport>) -> String {
        let mut out = Vec::new();
        (ReportFormat::named(format).unwrap().render)(&recorded(cases), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_names_of_formats_are_unique() {
        for format in ReportFormat::ALL {
            assert_eq!(ReportFormat::ALL.iter().filter(|other| **other == format).count(), 1);
        }
        assert!(ReportFormat::named("xml").is_none());
    }
}
