//! The formats in which a matrix of gateways can be written.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use super::{
    RecordedRun,
    html::render_matrix,
    markdown::inline,
    matrix_markdown::matrix_markdown,
    matrix_run::{CaseEvidence, MatrixRun},
};
use crate::matrix::Matrix;

/// A format in which a matrix can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatrixFormat {
    /// A page that a browser opens without a network, with the cases on both sides of each gateway.
    Html,
    /// Tables, and one case for each finding.
    Markdown,
}

/// A matrix, with the runs that it is about.
pub(crate) struct MatrixReport<'a> {
    /// The matrix.
    pub(crate) matrix: &'a Matrix,
    /// The first run of each gateway; `None` for one without results.
    pub(crate) runs: &'a [Option<MatrixRun>],
    /// The command that repeats it.
    pub(crate) again: String,
}

impl MatrixFormat {
    /// The format with this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "html" => Some(Self::Html),
            "markdown" => Some(Self::Markdown),
            _ => None,
        }
    }

    /// Renders a matrix.
    ///
    /// # Errors
    ///
    /// If a case of a run cannot be read.
    pub(crate) fn render(self, report: &MatrixReport<'_>) -> io::Result<String> {
        match self {
            Self::Html => {
                let runs: Vec<Option<&RecordedRun>> =
                    report.runs.iter().map(|run| run.as_ref().map(|run| &run.run)).collect();
                let mut out: Vec<u8> = Vec::new();
                render_matrix(report.matrix, &runs, &mut out)?;
                out.flush()?;
                String::from_utf8(out).map_err(io::Error::other)
            }
            Self::Markdown => report.markdown(),
        }
    }
}

impl MatrixReport<'_> {
    fn markdown(&self) -> io::Result<String> {
        let evidence = self.evidence()?;
        let seed = self.matrix.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
        let head = format!(
            "# Gateways side by side\n\nThe same cases with each gateway, judged by upfault {} (policy {}{seed}). This repeats it:\n\n\
             ```text\n{}\n```\n\n",
            self.matrix.upfault,
            inline(&self.matrix.policy),
            self.again
        );
        let of = |n: usize, case: &str| evidence.get(&(n, case.to_owned())).cloned();
        Ok(head + &matrix_markdown(self.matrix, &of))
    }

    /// The evidence about the examples, by gateway and case; of the control too.
    fn evidence(&self) -> io::Result<BTreeMap<(usize, String), CaseEvidence>> {
        let mut found = BTreeMap::new();
        for row in self.matrix.rows_of(true) {
            for (n, cell) in row.cells.iter().enumerate() {
                let Some(example) = &cell.example else { continue };
                for n in [n, 0] {
                    let key = (n, example.case.clone());
                    let Some(run) = self.runs.get(n).and_then(Option::as_ref) else { continue };
                    if !found.contains_key(&key)
                        && let Some(evidence) = run.evidence(&example.case)?
                    {
                        found.insert(key, evidence);
                    }
                }
            }
        }
        Ok(found)
    }
}
