//! Tables for a terminal or in Markdown.

/// Rows of text under headings.
pub struct Table {
    title: String,
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: impl Into<String>, headings: &[&'static str]) -> Self {
        Self { title: title.into(), headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row: one cell for each heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub fn text(&self) -> String {
        let mut text = format!("{}\n", self.title);
        for cells in self.lines() {
            text.push_str("  ");
            for (cell, width) in cells.iter().zip(self.widths()) {
                text.push_str(&padded(cell, width + 2));
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    pub fn markdown(&self) -> String {
        let mut lines = self.lines().map(|cells| format!("| {} |\n", cells.join(" | ")));
        let heading = lines.next().unwrap_or_default();
        let rule = format!("|{}\n", "---|".repeat(self.headings.len()));
        format!("**{}**\n\n{heading}{rule}{}", self.title, lines.collect::<String>())
    }

    /// The headings, then the rows.
    fn lines(&self) -> impl Iterator<Item = Vec<String>> {
        let headings = self.headings.iter().map(|heading| (*heading).to_owned()).collect();
        std::iter::once(headings).chain(self.rows.iter().cloned())
    }

    fn widths(&self) -> Vec<usize> {
        (0..self.headings.len())
            .map(|column| {
                let length = |cells: Vec<String>| cells.get(column).map_or(0, |cell| cell.chars().count());
                self.lines().map(length).max().unwrap_or(0)
            })
            .collect()
    }
}

fn padded(cell: &str, width: usize) -> String {
    format!("{cell:width$}")
}
