//! Writes a run as a JSON report.

use std::{
    collections::HashSet,
    io::{self, Write},
};

use serde::{
    Serialize, Serializer,
    ser::{Error, SerializeSeq},
};

use super::{RecordedRun, inert::write_json};
use crate::{event::CaseReport, judge::Verdict};

/// Writes everything, as `upfault schema report` describes it.
pub(super) fn render_full(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    write(run, out, |_| true)
}

/// Writes a report without the observations of cases that pass and with which no other case is compared.
pub(super) fn render_lean(run: &RecordedRun, out: &mut dyn Write) -> io::Result<()> {
    let bad = |case: &&CaseReport| case.verdict != Verdict::Pass;
    let compared: HashSet<&str> = run
        .report
        .cases
        .iter()
        .filter(bad)
        .flat_map(|case| &case.compared_with)
        .map(String::as_str)
        .collect();
    write(run, out, |case| bad(&case) || compared.contains(case.id.as_str()))
}

fn write(run: &RecordedRun, out: &mut dyn Write, is_kept: impl Fn(&CaseReport) -> bool) -> io::Result<()> {
    let cases = StreamedCases { run, is_kept };
    write_json(out, &run.report.with_cases(cases))
}

/// The cases of a run. Only one of them is in memory at a time.
struct StreamedCases<'r, Kept> {
    run: &'r RecordedRun,
    /// Whether a case keeps its observation.
    is_kept: Kept,
}

impl<Kept: Fn(&CaseReport) -> bool> Serialize for StreamedCases<'_, Kept> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.run.report.cases.len()))?;
        for case in self.run.cases() {
            let mut case = case.map_err(S::Error::custom)?;
            if !(self.is_kept)(&case) {
                case.observation = None;
            }
            list.serialize_element(&case)?;
        }
        list.end()
    }
}
