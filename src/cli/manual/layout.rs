//! The layout of a page for a terminal.

use anstyle::Style;

use super::{
    block::{Block, blocks},
    table::table_lines,
};
use crate::report::wrap;

/// Lines of prose are not longer than this, however wide the terminal is.
const WIDEST: usize = 100;

/// Prose is laid out for at least this many columns.
const NARROWEST: usize = 40;

/// How a page is laid out.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct LayoutOptions {
    /// The width of the terminal in columns; 0 if there is none.
    pub(in crate::cli) width: usize,
    /// Whether headings are bold. Without colour, they are underlined.
    pub(in crate::cli) color: bool,
}

/// A Markdown text, laid out for a terminal. Fenced blocks are indented and keep their lines, so that they can be copied.
pub(in crate::cli) fn laid_out(markdown: &str, options: LayoutOptions) -> String {
    let width = match options.width {
        0 => 80,
        width => width.clamp(NARROWEST, WIDEST),
    };
    let mut lines = Vec::new();
    lay_out(&blocks(markdown), width, options.color, &mut lines);
    lines.join("\n") + "\n"
}

fn lay_out(blocks: &[Block], width: usize, color: bool, lines: &mut Vec<String>) {
    for (n, block) in blocks.iter().enumerate() {
        if n > 0 {
            lines.push(String::new());
        }
        match block {
            Block::Heading { level, text } => heading(*level, text, width, color, lines),
            Block::Paragraph(text) => lines.extend(wrap(text, width)),
            Block::Code(text) => {
                lines.extend(text.lines().map(|line| format!("    {line}").trim_end().to_owned()))
            }
            Block::List { first, items } => list(*first, items, width, color, lines),
            Block::Table(rows) => lines.extend(table_lines(rows, width)),
        }
    }
}

fn heading(level: usize, text: &str, width: usize, color: bool, lines: &mut Vec<String>) {
    let bold = if color { Style::new().bold() } else { Style::new() };
    lines.extend(wrap(text, width).into_iter().map(|line| format!("{bold}{line}{bold:#}")));
    let rule = match level {
        1 => "=",
        2 if !color => "-",
        _ => return,
    };
    lines.push(rule.repeat(text.chars().count().min(width)));
}

fn list(first: Option<u64>, items: &[Vec<Block>], width: usize, color: bool, lines: &mut Vec<String>) {
    let has_long_items = items.iter().any(|item| item.len() > 1);
    for (n, item) in items.iter().enumerate() {
        if n > 0 && has_long_items {
            lines.push(String::new());
        }
        let mark = first.map_or_else(|| "- ".to_owned(), |first| format!("{}. ", first + n as u64));
        let mut own = Vec::new();
        lay_out(item, width.saturating_sub(mark.len()).max(NARROWEST / 2), color, &mut own);
        for (m, line) in own.iter().enumerate() {
            let lead = if m == 0 { mark.clone() } else { " ".repeat(mark.len()) };
            lines.push(format!("{lead}{line}").trim_end().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::manual::ManualTopic;

    const PLAIN: LayoutOptions = LayoutOptions { width: 40, color: false };

    #[test]
    fn a_page_is_readable_without_its_markup() {
        let page = "# A page\n\nSome words about [CI](ci.md) that do **not** fit into one line.\n\n## A list\n\n- one item that \
                    is longer than the line\n- two\n\n```text\n$ a command that is longer than the whole line\n```\n";
        insta::assert_snapshot!(laid_out(page, PLAIN), @"
        A page
        ======

        Some words about CI [ci] that do not fit
        into one line.

        A list
        ------

        - one item that is longer than the line
        - two

            $ a command that is longer than the whole line
        ");
        let colored = laid_out(page, LayoutOptions { color: true, ..PLAIN });
        assert!(colored.contains("\u{1b}[1mA list\u{1b}[0m\n\n"), "{colored}");
    }

    #[test]
    fn prose_of_every_page_fits_80_columns_and_contains_no_markup() {
        for page in ManualTopic::all() {
            for line in laid_out(page.text, LayoutOptions { width: 80, color: false }).lines() {
                // Only a line that must stay in one piece is longer: code, or a single word.
                let is_whole = line.starts_with("    ") || !line.trim_start().contains(' ');
                assert!(line.chars().count() <= 80 || is_whole, "{}: {line}", page.name);
                assert!(!line.contains("](") && !line.starts_with("|---"), "{}: {line}", page.name);
            }
        }
    }
}
