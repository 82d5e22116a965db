//! The matrix of gateways as Markdown.

use std::fmt::Write as _;

use super::{
    inert::{escaped, escaped_lines},
    markdown::inline,
    matrix_run::CaseEvidence,
    terminal_groups::plural,
};
use crate::matrix::{CellState, Matrix, MatrixCell, MatrixColumn, MatrixExample, MatrixRow};

/// How many reasons for skipped cases are listed for each gateway.
const REASONS: usize = 5;

/// How many cases a line names.
const NAMED: usize = 5;

/// Looks up the evidence about a case of a gateway, which is given by its number.
type EvidenceOf<'a> = dyn Fn(usize, &str) -> Option<CaseEvidence> + 'a;

/// The sections of a page about the matrix: gateways, rules, findings.
pub fn matrix_markdown(matrix: &Matrix, evidence: &EvidenceOf<'_>) -> String {
    let mut text = String::new();
    gateways(&mut text, matrix);
    text.push_str(
        "\n## Required rules\n\nA cell contains the number of cases that break the rule, of the judged cases to which the rule \
         applies. *not run* means that\nno such case was judged: it says nothing about the gateway.\n\n",
    );
    rules(&mut text, matrix, true);
    text.push_str(
        "\n## Recommended rules\n\nThere are reasons for and against these rules. A number is not a defect.\n\n",
    );
    rules(&mut text, matrix, false);
    findings(&mut text, matrix, evidence);
    text
}

fn gateways(text: &mut String, matrix: &Matrix) {
    text.push_str(
        "## Gateways\n\n| gateway | version | language | results of | judged cases | break a required rule | skipped | \
         no judgement |\n|---|---|---|---|---:|---:|---:|---:|\n",
    );
    for (n, column) in matrix.gateways.iter().enumerate() {
        let MatrixColumn { head, judged, broken, .. } = column;
        let control = if n == 0 { " (control)" } else { "" };
        let counts = match &column.not_run {
            Some(_) => "**not run** | | |".to_owned(),
            None => format!("{judged} | {broken} | {} | {}", total(&column.skipped), total(&column.unclear)),
        };
        let _ = writeln!(
            text,
            "| {}{control} | {} | {} | {} | {counts} |",
            inline(&head.name),
            or_dash(&head.version),
            or_dash(&head.language),
            or_dash(&head.day)
        );
    }
    for column in &matrix.gateways {
        let title = inline(&column.head.title());
        if let Some(reason) = &column.not_run {
            let _ = writeln!(text, "\n{title} was not run: {}", inline(reason));
        }
        let _ = reasons(text, &format!("{title} cannot be configured for"), &column.skipped);
        let _ = reasons(text, &format!("upfault has no judgement of {title} in"), &column.unclear);
    }
}

/// The most frequent reasons.
fn reasons(text: &mut String, of: &str, reasons: &[(String, usize)]) -> std::fmt::Result {
    if reasons.is_empty() {
        return Ok(());
    }
    writeln!(text, "\n<details><summary>{of} {}</summary>\n", plural(total(reasons), "case"))?;
    for (reason, cases) in reasons.iter().take(REASONS) {
        writeln!(text, "- {cases}: {}", inline(reason))?;
    }
    let rest = reasons.get(REASONS..).unwrap_or_default();
    if !rest.is_empty() {
        writeln!(text, "- {}: {}", total(rest), plural(rest.len(), "more reason"))?;
    }
    writeln!(text, "\n</details>")
}

fn total(reasons: &[(String, usize)]) -> usize {
    reasons.iter().map(|(_, cases)| cases).sum()
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "–".to_owned() } else { inline(text) }
}

/// The table of the rules that are required, or of the others.
fn rules(text: &mut String, matrix: &Matrix, required: bool) {
    let names: Vec<String> = matrix
        .gateways
        .iter()
        .map(|column| [&column.head.name, &column.head.version].map(|text| inline(text)).join("<br>"))
        .map(|name| name.trim_end_matches("<br>").to_owned())
        .collect();
    let _ = writeln!(text, "| rule | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---:|".repeat(names.len()));
    let mut family = "";
    for row in matrix.rows_of(required) {
        if row.family() != family {
            family = row.family();
            let _ = writeln!(text, "| **{}** |{}", inline(family), " |".repeat(names.len()));
        }
        let cells: Vec<String> = row.cells.iter().map(|cell| shown(cell, required)).collect();
        // A table cell ends at a pipe, even in code.
        let name = code(&row.rule).replace('|', "\\|");
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
}

/// `**3 of 12**`, `0 of 12`, `not run`.
fn shown(cell: &MatrixCell, required: bool) -> String {
    let count = format!("{} of {}", cell.broken.len(), cell.judged);
    let unsure = cell.unconfirmed.len() + cell.refuted.len();
    match cell.state() {
        CellState::NotRun => "not run".to_owned(),
        CellState::Broken if required && unsure > 0 => format!("**{count}**, {unsure} unconfirmed"),
        CellState::Broken if required => format!("**{count}**"),
        CellState::Unconfirmed => format!("{count}, {unsure} unconfirmed"),
        CellState::Kept | CellState::Broken => count,
    }
}

fn findings(text: &mut String, matrix: &Matrix, evidence: &EvidenceOf<'_>) {
    text.push_str(
        "\n## Findings\n\nEach rule that a gateway breaks, with one of the cases. A case counts only if it broke the rule in \
         every run, and if the\ncontrol, a correct proxy in front of the same mocks, keeps the rule in it.\n",
    );
    for (n, column) in matrix.gateways.iter().enumerate() {
        let found: Vec<(&MatrixRow, &MatrixCell)> = matrix
            .rows_of(true)
            .map(|row| (row, &row.cells[n]))
            .filter(|(_, cell)| matches!(cell.state(), CellState::Broken | CellState::Unconfirmed))
            .collect();
        if found.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n### {}\n", inline(&column.head.title()));
        for (row, cell) in found {
            let _ = writeln!(text, "- {} {}", code(&row.rule), sentence(row, cell));
            if let Some(example) = &cell.example {
                let of_control = evidence(0, &example.case).filter(|_| example.kept_by_control.is_some());
                example_lines(text, example, n == 0, evidence(n, &example.case), of_control);
            }
            for line in unconfirmed(cell) {
                let _ = writeln!(text, "  - {line}");
            }
        }
    }
}

/// `(Retry-After reaches the caller): 3 of 12 cases, 1 of them not in the accepted snapshots`
fn sentence(row: &MatrixRow, cell: &MatrixCell) -> String {
    let title = if row.title.is_empty() { String::new() } else { format!(" ({})", inline(&row.title)) };
    let new = match cell.broken.len() - cell.known {
        0 => String::new(),
        new => format!(", {new} not in the accepted snapshots"),
    };
    let alone = match cell.without_control {
        0 => String::new(),
        n => format!(", {n} without a control"),
    };
    let cases = plural(cell.judged, "case");
    format!("{}: {} of {cases}{new}{alone}", title.trim_start(), cell.broken.len())
}

fn example_lines(
    text: &mut String,
    example: &MatrixExample,
    is_control: bool,
    evidence: Option<CaseEvidence>,
    of_control: Option<CaseEvidence>,
) {
    let CaseEvidence { again, wire, links } = evidence.unwrap_or_default();
    let links: Vec<String> = links.iter().map(|(name, target)| format!("[{name}]({target})")).collect();
    let links = if links.is_empty() { String::new() } else { format!(" ({})", links.join(", ")) };
    let runs = if wire.is_empty() { String::new() } else { format!(", in {0} of {0} runs", example.runs) };
    let _ = writeln!(text, "  - {}{runs}{links}", code(&example.case));
    if !example.expected.is_empty() {
        let _ = writeln!(text, "  - expected: {}", inline(&example.expected));
    }
    let _ = writeln!(text, "  - observed: {}", inline(&example.observed));
    let control = match example.kept_by_control {
        Some(_) => "keeps the rule in this case",
        None => "did not run this case",
    };
    if !is_control {
        let _ = writeln!(text, "  - the control {control}");
    }
    if !again.is_empty() {
        let _ = writeln!(text, "  - {}", code(&again));
    }
    if !wire.is_empty() {
        let control = of_control.map(|control| format!("\nThe control:\n{}", control.wire));
        let both = format!("{wire}{}", control.unwrap_or_default());
        let _ = writeln!(
            text,
            "  - <details><summary>both sides of the wire</summary>\n\n{}\n    </details>",
            fenced(&both, 4)
        );
    }
}

/// The cases that are not claims, with the reasons.
fn unconfirmed(cell: &MatrixCell) -> Vec<String> {
    let names = |cases: Vec<String>| {
        let more = cases.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", cases.into_iter().take(NAMED).collect::<Vec<_>>().join(", "))
    };
    let mut lines = Vec::new();
    if !cell.unconfirmed.is_empty() {
        let cases = cell
            .unconfirmed
            .iter()
            .map(|one| format!("{} (in {} of {} runs)", code(&one.case), one.found, one.runs));
        lines.push(format!("not counted, because it does not always occur: {}", names(cases.collect())));
    }
    if !cell.refuted.is_empty() {
        let cases = cell.refuted.iter().map(|case| code(case));
        lines.push(format!(
            "not counted, because the control breaks the rule too: {}",
            names(cases.collect())
        ));
    }
    lines
}

/// Lines as a block of code, indented by `indent` columns.
fn fenced(text: &str, indent: usize) -> String {
    let text = escaped_lines(text).replace("```", "` ` `");
    let lines = std::iter::once("```text").chain(text.lines()).chain(std::iter::once("```"));
    lines.map(|line| format!("{:indent$}{line}", "").trim_end().to_owned() + "\n").collect()
}

/// Text as code in a line.
fn code(text: &str) -> String {
    let text = escaped(text);
    let most = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(most + 1);
    if most > 0 { format!("{fence} {text} {fence}") } else { format!("{fence}{text}{fence}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        judge::Policy,
        matrix::tests::{gateway, judged, not_run, sample},
    };

    fn evidence(n: usize, case: &str) -> Option<CaseEvidence> {
        (n < 2).then(|| CaseEvidence {
            again: format!("upfault run --filter 'case:{case}'"),
            wire: format!("  caller got     42{n}\n  upstream sent  429 ```\n"),
            links: vec![("scenario".to_owned(), "a.yaml".to_owned())],
        })
    }

    #[test]
    fn the_page_names_gateways_rules_and_evidence() {
        insta::assert_snapshot!(matrix_markdown(&sample(), &evidence));
    }

    #[test]
    fn without_findings_the_page_has_no_examples() {
        let gateways = [gateway("control", vec![vec![judged("a/1", &[])]]), not_run("gone", "it is gone")];
        let text = matrix_markdown(&Matrix::new(&gateways, &Policy::default(), None), &|_, _| None);
        assert!(!text.contains("###") && text.contains("gone 1.2 was not run: it is gone"), "{text}");
    }

    #[test]
    fn hostile_text_is_inert() {
        let hostile = "</details><script>|`\u{1b}[31m\n# x";
        let gateways = [
            gateway("control", vec![vec![judged(hostile, &[])]]),
            gateway(hostile, vec![vec![judged(hostile, &[hostile, "headers.retry-after"])]]),
            not_run(hostile, hostile),
        ];
        let of = |_: usize, _: &str| {
            Some(CaseEvidence {
                again: hostile.to_owned(),
                wire: format!("{hostile}```\n```"),
                links: Vec::new(),
            })
        };
        let text = matrix_markdown(&Matrix::new(&gateways, &Policy::default(), None), &of);
        assert!(!text.contains('\u{1b}') && !text.contains("\n# x"), "{text}");
        assert_eq!(text.matches("```").count() % 2, 0, "{text}");
        let outside: String = text.split("```").step_by(2).collect();
        let in_table = code(hostile).replace('|', "\\|");
        let outside = outside.replace(&code(hostile), "").replace(&in_table, "");
        assert!(!outside.contains("<script>"), "{outside}");
    }
}
