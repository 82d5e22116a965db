//! The smoke matrix: which provider's plain success and plain failure come through at all.

use std::{collections::BTreeMap, io, sync::Arc};

use anstyle::Style;

use super::paint::{Painter, safe, verdict_style};
use crate::{event::CaseResult, judge::Verdict, scenario::Api};

/// Scenarios in this folder make the matrix.
const FOLDER: &str = "smoke/";

/// A row for each provider and API, a column for each scenario of the folder, plain and streamed.
/// Nothing for fewer than two rows: then the cases speak for themselves.
pub(super) fn smoke(painter: &mut Painter<'_>, cases: &[Arc<CaseResult>]) -> io::Result<()> {
    let cases: Vec<&CaseResult> =
        cases.iter().map(Arc::as_ref).filter(|case| case.scenario.starts_with(FOLDER)).collect();
    let mut columns: Vec<String> = Vec::new();
    let mut rows: BTreeMap<(Api, String), BTreeMap<usize, Verdict>> = BTreeMap::new();
    let mut streams: Vec<&&CaseResult> = cases.iter().collect();
    // Success stands before failure, and plain before streamed.
    streams.sort_by_key(|case| {
        (!case.scenario.contains("success"), case.scenario.clone(), case.combination.stream)
    });
    for case in streams {
        let column = column(case);
        let index = columns.iter().position(|known| *known == column).unwrap_or_else(|| {
            columns.push(column);
            columns.len() - 1
        });
        let row = (case.combination.api, case.combination.provider.to_string());
        rows.entry(row).or_default().insert(index, case.verdict);
    }
    if rows.len() < 2 {
        return Ok(());
    }
    painter.gap()?;
    let title = painter.styled(Style::new().bold(), "SMOKE");
    painter.raw(&format!("{title} what comes through of each provider"))?;
    let names: Vec<String> = rows.keys().map(|(api, provider)| row_name(*api, provider)).collect();
    let first = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let heading: String = columns.iter().map(|column| format!("  {column:12}")).collect();
    painter.raw(format!("  {:first$}{}", "", safe(&heading)).trim_end())?;
    for (name, row) in names.iter().zip(rows.values()) {
        let cells: String = (0..columns.len())
            .map(|index| match row.get(&index) {
                Some(verdict) => {
                    let word = verdict.to_string();
                    format!(
                        "  {}{:pad$}",
                        painter.styled(verdict_style(*verdict), &word),
                        "",
                        pad = 12 - word.len().min(12)
                    )
                }
                None => format!("  {:12}", "-"),
            })
            .collect();
        painter.raw(format!("  {:first$}{cells}", safe(name)).trim_end())?;
    }
    Ok(())
}

/// `success`, `success, stream`.
fn column(case: &CaseResult) -> String {
    // One file for each API: `messages/success` stands in the column of `success`.
    let kind = case.scenario.rsplit('/').next().unwrap_or_default();
    if case.combination.stream { format!("{kind}, stream") } else { kind.to_owned() }
}

fn row_name(api: Api, provider: &str) -> String {
    if api == Api::OpenaiChat { provider.to_owned() } else { format!("{provider} ({api})") }
}
