//! The pages of the manual, and their sections.

use crate::bundled::DOCS;

/// The page that lists the others. It is printed by `upfault help` and has no name of its own.
pub(super) const INDEX: &str = "README.md";

/// A page of docs/ that is inside the binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct ManualTopic {
    /// The name of the file without its extension: `ci`.
    pub(in crate::cli) name: &'static str,
    /// The page, in Markdown.
    pub(in crate::cli) text: &'static str,
}

/// A heading of a page and what follows it, up to the next heading that is not below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Section {
    /// The heading as a link names it: `exit-codes`.
    pub(in crate::cli) anchor: String,
    /// 2 for a heading with two `#`.
    pub(in crate::cli) level: usize,
    /// The section, in Markdown.
    pub(in crate::cli) text: &'static str,
}

impl ManualTopic {
    /// All pages, sorted by name.
    pub(in crate::cli) fn all() -> Vec<Self> {
        DOCS.files().filter_map(|(path, text)| Self::of(path, text)).collect()
    }

    /// The page of this name: `ci`, `ci.md` or `docs/ci.md`.
    pub(in crate::cli) fn called(word: &str) -> Option<Self> {
        let file = format!("{}.md", word.trim_start_matches("docs/").trim_end_matches(".md"));
        Self::of(&file, DOCS.get(&file)?)
    }

    fn of(path: &str, text: &'static str) -> Option<Self> {
        // The name must live as long as the archive.
        let (path, _) = DOCS.files().find(|(known, _)| *known == path && path != INDEX)?;
        Some(Self { name: path.strip_suffix(".md")?, text })
    }

    /// The first heading.
    pub(in crate::cli) fn title(&self) -> &'static str {
        self.text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or(self.name)
    }

    /// The sections below the title, in their order.
    pub(in crate::cli) fn sections(&self) -> Vec<Section> {
        let headings = headings(self.text);
        headings
            .iter()
            .enumerate()
            .filter(|(_, heading)| heading.level > 1)
            .map(|(n, heading)| {
                let next = headings[n + 1..].iter().find(|other| other.level <= heading.level);
                let end = next.map_or(self.text.len(), |next| next.at);
                let text = &self.text[heading.at..end];
                Section { anchor: anchor(heading.title), level: heading.level, text }
            })
            .collect()
    }
}

struct Heading<'t> {
    /// The byte offset of its line.
    at: usize,
    level: usize,
    title: &'t str,
}

/// The headings of a page. A line of a fenced block is never one.
fn headings(text: &str) -> Vec<Heading<'_>> {
    let (mut found, mut at, mut fenced) = (Vec::new(), 0, false);
    for line in text.split_inclusive('\n') {
        fenced ^= line.trim_start().starts_with("```");
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if let (false, 1..=6, Some(title)) = (fenced, level, line[level..].strip_prefix(' ')) {
            found.push(Heading { at, level, title: title.trim() });
        }
        at += line.len();
    }
    found
}

/// The anchor that GitHub gives to a heading: its words in lower case, with hyphens, without punctuation.
pub(super) fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_name_a_title_and_sections_with_the_anchors_of_links() {
        let page = ManualTopic::called("docs/ci.md").unwrap();
        assert_eq!((page.name, page.title()), ("ci", "Running in CI"));
        assert_eq!(ManualTopic::called("ci"), Some(page));
        let sections = page.sections();
        let reports = sections.iter().find(|one| one.anchor == "reports").unwrap();
        assert!(reports.text.contains("### HTML report"), "a section contains those below it");
        assert!(!reports.text.contains("## A failing job"));
        assert!(sections.iter().any(|one| one.anchor == "example-for-github-actions"));
        assert_eq!(ManualTopic::called("readme"), None);
        assert_eq!(ManualTopic::called("gateways"), None, "it is left out");
    }

    #[test]
    fn a_line_of_a_script_is_not_a_heading() {
        let found = headings("# A\n```sh\n# a comment\n```\n## B `c`: d\n");
        let titles: Vec<_> = found.iter().map(|one| one.title).collect();
        assert_eq!(titles, ["A", "B `c`: d"]);
        assert_eq!(anchor(titles[1]), "b-c-d");
    }

    #[test]
    fn every_anchor_of_a_link_between_pages_is_a_section() {
        for page in ManualTopic::all() {
            for target in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let Some((file, anchor)) = target.split_once('#').filter(|_| !target.contains("://")) else {
                    continue;
                };
                let other = if file.is_empty() { Some(page) } else { ManualTopic::called(file) };
                let Some(other) = other else { continue };
                let has_it = other.sections().iter().any(|section| section.anchor == anchor);
                assert!(has_it, "docs/{}.md: the link {target} names no section", page.name);
            }
        }
    }
}
