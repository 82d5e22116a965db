//! The matrix of gateways as text for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{
    comparison_text::ComparisonView,
    paint::{Painter, cut, safe},
    terminal_groups::plural,
};
use crate::matrix::{CellState, Matrix, MatrixCell, MatrixColumn, MatrixRow};

/// The width of the column of a gateway.
const COLUMN: usize = 6;

/// The width of the names of rules.
const RULE: usize = 30;

/// How many characters of a reason are shown.
const REASON: usize = 300;

/// Prints the matrix. Without `verbose`, rules that no gateway breaks are only counted.
pub(crate) fn write_matrix(out: &mut dyn Write, matrix: &Matrix, view: ComparisonView) -> io::Result<()> {
    // Without a terminal, the text must be readable in a log too.
    let width = if view.width == 0 { 80 } else { view.width };
    let mut painter = Painter::new(out, view.color, width);
    gateways(&mut painter, matrix)?;
    let columns: Vec<usize> =
        (0..matrix.gateways.len()).filter(|n| matrix.gateways[*n].not_run.is_none()).collect();
    let fit = (width.saturating_sub(RULE + 2) / COLUMN).max(1);
    for required in [true, false] {
        // Recommendations are not defects.
        if !required && !view.verbose {
            continue;
        }
        let rows: Vec<&MatrixRow> =
            matrix.rows_of(required).filter(|row| view.verbose || row.cells.iter().any(is_news)).collect();
        let others = matrix.rows_of(required).count() - rows.len();
        let heading = if required { "REQUIRED RULES" } else { "RECOMMENDED RULES" };
        for part in columns.chunks(fit) {
            painter.gap()?;
            heads(&mut painter, heading, part)?;
            for row in &rows {
                of_rule(&mut painter, row, part)?;
            }
        }
        if others > 0 {
            let line = format!("{} that no gateway breaks (-v lists them)", plural(others, "more rule"));
            painter.text(2, Style::new().dimmed(), &line)?;
        }
    }
    painter.gap()?;
    painter.text(
        0,
        Style::new().dimmed(),
        "A number is a number of cases; . means that the rule applied and no case breaks it; - means that no case to which \
         it applies was judged; ? means that a case breaks it, but not in every run, or that the control breaks it too.",
    )
}

fn gateways(painter: &mut Painter<'_>, matrix: &Matrix) -> io::Result<()> {
    let line = format!("{} by policy {}", plural(matrix.gateways.len(), "gateway"), matrix.policy);
    painter.text(0, Style::new().bold(), &safe(&line))?;
    for (n, column) in matrix.gateways.iter().enumerate() {
        let MatrixColumn { head, judged, broken, skipped, unclear, .. } = column;
        let control = if n == 0 { " (control)" } else { "" };
        painter.raw(&format!("{:>4}  {}{control}", n + 1, safe(&head.title())))?;
        if let Some(reason) = &column.not_run {
            painter.field(
                6,
                "NOT RUN: ",
                &cut(reason, REASON).lines().map(safe).collect::<Vec<_>>().join("; "),
            )?;
            continue;
        }
        let count = |reasons: &[(String, usize)]| -> usize { reasons.iter().map(|(_, cases)| cases).sum() };
        let mut parts = vec![format!("{} judged", plural(*judged, "case"))];
        parts.push(format!("{broken} break a required rule"));
        parts.push(format!("{} skipped", count(skipped)));
        if count(unclear) > 0 {
            parts.push(format!("{} without a judgement", count(unclear)));
        }
        painter.text(6, Style::new(), &parts.join(", "))?;
    }
    Ok(())
}

/// Whether a cell shows more than that the rule is kept.
fn is_news(cell: &MatrixCell) -> bool {
    matches!(cell.state(), CellState::Broken | CellState::Unconfirmed)
}

fn heads(painter: &mut Painter<'_>, heading: &str, columns: &[usize]) -> io::Result<()> {
    let numbers: String = columns.iter().map(|n| format!("{:>COLUMN$}", n + 1)).collect();
    let heading = painter.styled(Style::new().bold(), &format!("{heading:width$}", width = RULE + 2));
    painter.raw(&format!("{heading}{numbers}"))
}

fn of_rule(painter: &mut Painter<'_>, row: &MatrixRow, columns: &[usize]) -> io::Result<()> {
    let name = safe(&row.rule);
    let mut line = format!("  {name:RULE$}");
    for n in columns {
        let cell = &row.cells[*n];
        let (text, style) = match cell.state() {
            CellState::NotRun => ("-".to_owned(), Style::new().dimmed()),
            CellState::Kept => (".".to_owned(), Style::new().dimmed()),
            CellState::Unconfirmed => ("?".to_owned(), color(AnsiColor::Yellow)),
            CellState::Broken if row.is_required => {
                (cell.broken.len().to_string(), color(AnsiColor::Red).bold())
            }
            CellState::Broken => (cell.broken.len().to_string(), color(AnsiColor::Yellow)),
        };
        let pad = " ".repeat(COLUMN.saturating_sub(text.chars().count()));
        line.push_str(&pad);
        line.push_str(&painter.styled(style, &text));
    }
    painter.raw(&line)
}

fn color(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(color.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::Policy,
        matrix::tests::{gateway, judged, sample},
    };

    fn shown(matrix: &Matrix, width: usize, verbose: bool) -> String {
        let mut out = Vec::new();
        write_matrix(&mut out, matrix, ComparisonView { color: false, width, verbose }).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_of_80_columns_shows_what_each_gateway_breaks() {
        let text = shown(&sample(), 80, true);
        insta::assert_snapshot!(text);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(!shown(&sample(), 80, false).contains("RECOMMENDED"));
    }

    #[test]
    fn gateways_that_do_not_fit_continue_below() {
        let gateways: Vec<_> = (0..15)
            .map(|n| {
                gateway(&format!("g{n}"), vec![vec![judged("a/1", &["headers.retry-after"][..n.min(1)])]])
            })
            .collect();
        let text = shown(&Matrix::new(&gateways, &Policy::default(), None), 80, false);
        assert_eq!(text.matches("REQUIRED RULES").count(), 2, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("    15\n"), "{text}");
    }
}
