//! Report formats, and the reporter that writes a report in one of them.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use super::{
    Reporter, github,
    json::{self, Report, ReportBuilder},
    junit, markdown,
    rerun::Rerun,
};
use crate::{event::Event, snapshot::write_atomically};

/// A format in which a report can be written: one row in [`ReportFormat::ALL`] and one file.
#[derive(Clone, Copy)]
pub(crate) struct ReportFormat {
    /// The name in `--report NAME=PATH`.
    pub(crate) name: &'static str,
    render: fn(&Report) -> io::Result<String>,
}

impl ReportFormat {
    /// All formats.
    pub(crate) const ALL: [Self; 4] = [
        Self { name: "json", render: json::render },
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

/// Writes the report at the end of the run, even if it was interrupted.
pub(crate) struct FileReporter {
    format: ReportFormat,
    target: ReportTarget,
    report: ReportBuilder,
}

impl FileReporter {
    /// Writes to `target`. The report contains commands that run a case again if `rerun` is set.
    pub(crate) fn new(format: ReportFormat, target: ReportTarget, rerun: Option<Rerun>) -> Self {
        Self { format, target, report: ReportBuilder::with_rerun(rerun) }
    }
}

impl Reporter for FileReporter {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.report.add(event);
        if !matches!(event, Event::RunFinished(_)) {
            return Ok(());
        }
        let text = (self.format.render)(&self.report.finish())?;
        match &self.target {
            ReportTarget::Stdout => io::Write::write_all(&mut io::stdout().lock(), text.as_bytes()),
            ReportTarget::File(path) => {
                write_atomically(path, &text).map_err(|error| unwritable(path, &error))
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
        event::CaseResult,
        report::terminal::tests::{finish, started},
    };

    /// Renders a run with these cases.
    pub(in crate::report) fn rendered(format: &str, cases: Vec<CaseResult>) -> String {
        let mut report = ReportBuilder::default();
        report.add(&started(cases.len()));
        cases.into_iter().for_each(|case| report.add(&Event::CaseFinished(Arc::new(case))));
        report.add(&finish());
        (ReportFormat::named(format).unwrap().render)(&report.finish()).unwrap()
    }

    #[test]
    fn the_names_of_formats_are_unique() {
        for format in ReportFormat::ALL {
            assert_eq!(ReportFormat::ALL.iter().filter(|other| **other == format).count(), 1);
        }
        assert!(ReportFormat::named("xml").is_none());
    }
}
