//! Tables in a given width.

use crate::report::wrap;

/// The spaces between two columns.
const GAP: usize = 2;

/// The narrowest column whose cells may be broken at spaces.
const NARROWEST: usize = 12;

/// The lines of a table with at most `width` columns. The first row is the head. A table that does not fit becomes a
/// list, in which each line of a row names its column.
pub(super) fn table_lines(rows: &[Vec<String>], width: usize) -> Vec<String> {
    let Some((head, body)) = rows.split_first() else { return Vec::new() };
    // The head of a table without one has only empty cells.
    let rows = if head.iter().all(String::is_empty) { body } else { rows };
    match widths(rows, width) {
        Some(widths) => aligned(rows, &widths, rows.len() > body.len()),
        None => listed(head, body, width),
    }
}

/// The width of each column, or `None` if the table does not fit.
fn widths(rows: &[Vec<String>], width: usize) -> Option<Vec<usize>> {
    let count = rows.iter().map(Vec::len).max()?;
    let longest = |column: usize, length: fn(&str) -> usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| length(cell)).max().unwrap_or_default()
    };
    let word = |cell: &str| cell.split(' ').map(|word| word.chars().count()).max().unwrap_or_default();
    let mut widths: Vec<usize> =
        (0..count).map(|column| longest(column, |cell| cell.chars().count())).collect();
    let least: Vec<usize> =
        (0..count).map(|column| longest(column, word).max(NARROWEST).min(widths[column])).collect();
    let available = width.checked_sub(GAP * count.saturating_sub(1))?;
    // The widest column gives first.
    while widths.iter().sum::<usize>() > available {
        let shrinkable = (0..count).filter(|column| widths[*column] > least[*column]);
        let widest = shrinkable.max_by_key(|column| widths[*column])?;
        widths[widest] -= 1;
    }
    Some(widths)
}

fn aligned(rows: &[Vec<String>], widths: &[usize], has_head: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, row) in rows.iter().enumerate() {
        let cells: Vec<Vec<String>> =
            row.iter().zip(widths).map(|(cell, width)| wrap(cell, *width)).collect();
        for line in 0..cells.iter().map(Vec::len).max().unwrap_or_default() {
            let parts = cells.iter().zip(widths).map(|(cell, width)| {
                let part = cell.get(line).map(String::as_str).unwrap_or_default();
                format!("{part:<width$}")
            });
            lines.push(parts.collect::<Vec<_>>().join("  ").trim_end().to_owned());
        }
        if n == 0 && has_head {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            lines.push(rule.join("  "));
        }
    }
    lines
}

fn listed(head: &[String], body: &[Vec<String>], width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for row in body {
        for (n, cell) in row.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            let name = head.get(n).filter(|name| n > 0 && !name.is_empty());
            let text = name.map_or_else(|| cell.clone(), |name| format!("{name}: {cell}"));
            let indent = if n == 0 { "" } else { "    " };
            for (m, line) in wrap(&text, width.saturating_sub(6).max(NARROWEST)).iter().enumerate() {
                let more = if m == 0 { "" } else { "  " };
                lines.push(format!("{indent}{more}{}", line.trim_start()).trim_end().to_owned());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &[&str]) -> Vec<Vec<String>> {
        text.iter().map(|row| row.split(" | ").map(str::to_owned).collect()).collect()
    }

    #[test]
    fn cells_are_broken_until_the_table_fits() {
        let rows = rows(&["name | meaning", "`a` | a meaning that is longer than the line", "`bc` | short"]);
        insta::assert_snapshot!(table_lines(&rows, 30).join("\n"), @"
        name  meaning
        ----  ------------------------
        `a`   a meaning that is longer
              than the line
        `bc`  short
        ");
    }

    #[test]
    fn a_table_that_is_too_wide_becomes_a_list() {
        let rows =
            rows(&["key | x | meaning", "a-very-long-key-of-a-table |  | also-long-and-not-breakable words"]);
        insta::assert_snapshot!(table_lines(&rows, 40).join("\n"), @"
        a-very-long-key-of-a-table
            meaning:
              also-long-and-not-breakable words
        ");
    }

    #[test]
    fn a_head_without_words_is_left_out() {
        assert_eq!(table_lines(&[vec![String::new(); 2], vec!["a".into(), "b".into()]], 40), ["a  b"]);
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_wider_than_the_width(
            rows in proptest::collection::vec(proptest::collection::vec("[a-z ]{0,30}", 3), 1..5), width in 40..100usize,
        ) {
            for line in table_lines(&rows, width) {
                proptest::prop_assert!(line.chars().count() <= width, "{}", line);
            }
        }
    }
}
