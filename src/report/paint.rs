//! Lines for people: colour, wrapping, and text from the wire made safe for a terminal.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::judge::Verdict;

/// Narrower than this no wrapping is of use.
const NARROWEST: usize = 40;

/// Writes lines of at most so many columns, in colour or in plain ASCII.
pub(super) struct Painter<'a> {
    out: &'a mut dyn Write,
    color: bool,
    width: usize,
}

impl<'a> Painter<'a> {
    /// `width` 0 stands for no limit.
    pub(super) fn new(out: &'a mut dyn Write, color: bool, width: usize) -> Self {
        let width = if width == 0 { usize::MAX } else { width.max(NARROWEST) };
        Self { out, color, width }
    }

    /// An empty line.
    pub(super) fn gap(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// One line as it is: never wrapped, so that it can be copied.
    pub(super) fn raw(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// `label` at the column `indent`, `text` beside it, wrapped to its own column.
    pub(super) fn field(&mut self, indent: usize, label: &str, text: &str) -> io::Result<()> {
        let column = indent + label.chars().count();
        let mut lead = format!("{:indent$}{}", "", self.styled(Style::new().bold(), label));
        for line in wrap(text, self.width.saturating_sub(column).max(NARROWEST / 2)) {
            writeln!(self.out, "{}", format!("{lead}{line}").trim_end())?;
            lead = " ".repeat(column);
        }
        Ok(())
    }

    /// Text in one style, wrapped, every line at the column `indent`.
    pub(super) fn text(&mut self, indent: usize, style: Style, text: &str) -> io::Result<()> {
        for line in wrap(text, self.width.saturating_sub(indent).max(NARROWEST / 2)) {
            let line = self.styled(style, &line);
            writeln!(self.out, "{}", format!("{:indent$}{line}", "").trim_end())?;
        }
        Ok(())
    }

    /// `text` in `style` where there is colour.
    pub(super) fn styled(&self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// The colour of a verdict.
pub(super) fn verdict_style(verdict: Verdict) -> Style {
    let color = match verdict {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Fail | Verdict::Broken => AnsiColor::Red,
        Verdict::Changed | Verdict::Inconclusive => AnsiColor::Yellow,
        Verdict::Known => AnsiColor::Cyan,
        Verdict::Skipped => AnsiColor::BrightBlack,
    };
    Style::new().bold().fg_color(Some(color.into()))
}

/// The colour of a line of a unified diff.
pub(super) fn diff_style(line: &str) -> Style {
    let color = match line.as_bytes().first() {
        Some(b'+') => AnsiColor::Green,
        Some(b'-') => AnsiColor::Red,
        Some(b'@') => AnsiColor::Cyan,
        _ => return Style::new(),
    };
    Style::new().fg_color(Some(color.into()))
}

/// Control characters escaped (a reply must not steer the terminal), line feeds as `\n`.
pub(super) fn safe(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

/// At most `longest` characters, the rest counted.
pub(super) fn cut(text: &str, longest: usize) -> String {
    let count = text.chars().count();
    if count <= longest {
        return text.to_owned();
    }
    let start: String = text.chars().take(longest).collect();
    format!("{start}... ({} characters more)", count - longest)
}

/// Lines of at most `width` characters (at least 1), broken at blanks; a word that is longer is
/// broken behind a comma, or anywhere. Blanks at the beginning stay.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    // `None` at the very beginning, where no blank stands before the first word.
    let mut line: Option<Vec<char>> = None;
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let mut current = match line.take() {
            None => Vec::new(),
            Some(current) if current.len() + 1 + word.len() > width => {
                lines.push(current);
                Vec::new()
            }
            Some(mut current) => {
                current.push(' ');
                current
            }
        };
        while current.len() + word.len() > width {
            let fits = width.saturating_sub(current.len()).max(1).min(word.len());
            let at = word[..fits]
                .iter()
                .rposition(|c| *c == ',')
                .filter(|at| at * 2 > fits)
                .map_or(fits, |at| at + 1);
            current.extend(word.drain(..at));
            lines.push(std::mem::take(&mut current));
        }
        current.append(&mut word);
        line = Some(current);
    }
    lines.extend(line);
    lines.into_iter().map(|line| line.into_iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_at_blanks_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("  a b", 9), ["  a b"]);
        assert_eq!(wrap("ab,cde,fghi", 8), ["ab,cde,", "fghi"]);
    }

    #[test]
    fn a_reply_cannot_steer_the_terminal() {
        assert_eq!(safe("a\x1b[31m\nb"), "a\\u{1b}[31m\\nb");
    }

    proptest::proptest! {
        #[test]
        fn wrapping_loses_no_word_and_keeps_the_width(text in "[a-z ]{0,80}", width in 4..30usize) {
            let lines = wrap(&text, width);
            proptest::prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            let squeezed = |text: &str| text.replace(' ', "");
            proptest::prop_assert_eq!(squeezed(&lines.concat()), squeezed(&text));
        }
    }
}
