//! Lines for people: colour, wrapping, and text from the wire that is safe to print.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::inert::escaped;
use crate::{judge::Verdict, observation::beginning};

/// In a narrower terminal, wrapping would not help.
const NARROWEST: usize = 40;

/// The width of a command in a document.
const COMMAND: usize = 100;

/// Writes lines that fit into the terminal, with or without colour.
pub(super) struct Painter<'a> {
    out: &'a mut dyn Write,
    color: bool,
    width: usize,
}

impl<'a> Painter<'a> {
    /// `width` is in columns; 0 means no limit.
    pub(super) fn new(out: &'a mut dyn Write, color: bool, width: usize) -> Self {
        let width = if width == 0 { usize::MAX } else { width.max(NARROWEST) };
        Self { out, color, width }
    }

    /// An empty line.
    pub(super) fn gap(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// A command for a POSIX shell after `label`. When it does not fit, it continues on the next lines, after
    /// backslashes: it works when it is pasted.
    pub(super) fn command(&mut self, indent: usize, label: &str, words: &[String]) -> io::Result<()> {
        const CONTINUED: &str = " \\";
        let mut line = format!("{:indent$}{}", "", self.styled(Style::new().bold(), label));
        let mut column = indent + label.chars().count();
        // An option stays on one line with its value.
        let is_option = |word: &String| word.starts_with('-');
        let arguments: Vec<String> = words
            .chunk_by(|one, next| is_option(one) && !is_option(next))
            .map(|chunk| chunk.join(" "))
            .collect();
        for (i, word) in arguments.iter().enumerate() {
            let length = word.chars().count();
            let reserved = if i + 1 < arguments.len() { CONTINUED.len() } else { 0 };
            if i == 0 {
                column += length;
            } else if column + 1 + length + reserved <= self.width {
                line.push(' ');
                column += 1 + length;
            } else {
                writeln!(self.out, "{line}{CONTINUED}")?;
                line = " ".repeat(indent + 2);
                column = indent + 2 + length;
            }
            line.push_str(word);
        }
        writeln!(self.out, "{line}")
    }

    /// One line as it is, never wrapped.
    pub(super) fn raw(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// `label` at the column `indent`, followed by `text`, whose wrapped lines align with its first line.
    pub(super) fn field(&mut self, indent: usize, label: &str, text: &str) -> io::Result<()> {
        let column = indent + label.chars().count();
        let mut lead = format!("{:indent$}{}", "", self.styled(Style::new().bold(), label));
        for line in wrap(text, self.width.saturating_sub(column).max(NARROWEST / 2)) {
            writeln!(self.out, "{}", format!("{lead}{line}").trim_end())?;
            lead = " ".repeat(column);
        }
        Ok(())
    }

    /// Wrapped text in one style. Every line starts at the column `indent`.
    pub(super) fn text(&mut self, indent: usize, style: Style, text: &str) -> io::Result<()> {
        for line in wrap(text, self.width.saturating_sub(indent).max(NARROWEST / 2)) {
            let line = self.styled(style, &line);
            writeln!(self.out, "{}", format!("{:indent$}{line}", "").trim_end())?;
        }
        Ok(())
    }

    /// `text` in `style`, or as it is if colour is off.
    pub(super) fn styled(&self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// A command of these words, which are quoted where needed. It continues on the next lines, after backslashes.
pub(crate) fn wrapped_command(words: &[String]) -> String {
    let mut out = Vec::new();
    // Writing to a vector cannot fail.
    let _ = Painter::new(&mut out, false, COMMAND).command(0, "", words);
    String::from_utf8_lossy(&out).into_owned()
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

/// Escapes characters that could change how the terminal shows others, so that a reply cannot control it.
pub(crate) fn safe(text: &str) -> String {
    escaped(text)
}

/// The first `longest` characters, followed by how many more there are.
pub(super) fn cut(text: &str, longest: usize) -> String {
    match beginning(text, longest) {
        Some(start) => format!("{start}... ({} characters more)", text[start.len()..].chars().count()),
        None => text.to_owned(),
    }
}

/// Breaks `text` at spaces into lines of at most `width` characters. A longer word is broken after a comma if
/// possible, else at `width`. Leading spaces are kept.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    // `None` only at the very beginning: no space precedes the first word.
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

/// Breaks the lines of `text` that are longer than `width` columns (0 means no limit). The rest of a line is aligned with
/// its last column if that leaves enough space, otherwise indented below its first column.
pub(crate) fn fit(text: &str, width: usize) -> String {
    let mut fitted = String::new();
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches('\n');
        if width == 0 || content.chars().count() <= width {
            fitted.push_str(line);
            continue;
        }
        let indent = content.len() - content.trim_start_matches(' ').len();
        let (label, hang) = match last_column(content) {
            None => (indent, indent),
            Some(at) => match content[..at].chars().count() {
                column if column + NARROWEST / 2 <= width => (at, column),
                _ => (indent, indent + 4),
            },
        };
        let (mut lead, rest) = (content[..label].to_owned(), &content[label..]);
        for (n, piece) in wrap(rest, width.saturating_sub(hang).max(NARROWEST / 2)).iter().enumerate() {
            let piece = if n == 0 { piece } else { piece.trim_start() };
            fitted.push_str(format!("{lead}{piece}").trim_end());
            fitted.push('\n');
            lead = " ".repeat(hang);
        }
    }
    fitted
}

/// The offset of the last text in `line` that follows at least two spaces and other text.
fn last_column(line: &str) -> Option<usize> {
    let starts = |at: &usize| !line[*at..].starts_with(' ') && line[..*at].ends_with("  ");
    let last = line.char_indices().map(|(at, _)| at).rfind(starts)?;
    (!line[..last].trim().is_empty()).then_some(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fits_the_width_and_stays_in_its_column() {
        let text = "short\n  an indented line that is rather long, too long for this terminal\nname    a description that is \
                    also too long for it\nodd   a description that is also too long for it\n\
                    a-name-that-leaves-no-space/for-a-column  with a description\n";
        insta::assert_snapshot!(fit(text, 44), @r"
        short
          an indented line that is rather long, too
          long for this terminal
        name    a description that is also too long
                for it
        odd   a description that is also too long
              for it
        a-name-that-leaves-no-space/for-a-column
            with a description
        ");
        assert_eq!(fit(text, 0), text);
    }

    #[test]
    fn long_lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("  a b", 9), ["  a b"]);
        assert_eq!(wrap("ab,cde,fghi", 8), ["ab,cde,", "fghi"]);
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(safe("a\x1b[31m\nb"), "a\\u{1b}[31m\\nb");
    }

    #[test]
    fn a_long_command_continues_after_backslashes() {
        let words =
            ["upfault", "run", "--filter", "case:limits/rate-limit", "--seed", "7"].map(str::to_owned);
        let shown = |width| {
            let mut out = Vec::new();
            Painter::new(&mut out, false, width).command(2, "again: ", &words).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(shown(0), "  again: upfault run --filter case:limits/rate-limit --seed 7\n");
        assert_eq!(
            shown(40),
            "  again: upfault run \\\n    --filter case:limits/rate-limit \\\n    --seed 7\n"
        );
        assert!(shown(40).lines().all(|line| line.chars().count() <= 40));
    }

    proptest::proptest! {
        #[test]
        fn wrapping_keeps_every_word_and_the_width(text in "[a-z ]{0,80}", width in 4..30usize) {
            let lines = wrap(&text, width);
            proptest::prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            let squeezed = |text: &str| text.replace(' ', "");
            proptest::prop_assert_eq!(squeezed(&lines.concat()), squeezed(&text));
        }
    }
}
