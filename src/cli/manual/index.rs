//! The index of the manual: docs/README.md, which groups the pages and says what each is for.

use super::page::{INDEX, ManualTopic};
use crate::bundled::DOCS;

/// The pages of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct TopicGroup {
    /// What they are: `Reference`.
    pub(in crate::cli) title: &'static str,
    /// Each page with what it is for.
    pub(in crate::cli) topics: Vec<(ManualTopic, &'static str)>,
}

/// The groups of docs/README.md, without the pages that are not in the binary.
pub(in crate::cli) fn topic_groups() -> Vec<TopicGroup> {
    groups(DOCS.get(INDEX).unwrap_or_default())
}

/// Whether the word is a page of docs/ that is not in the binary, such as `litellm`.
pub(in crate::cli) fn is_left_out(word: &str) -> bool {
    let is_listed = DOCS.get(INDEX).is_some_and(|index| index.contains(&format!("]({word}.md) |")));
    is_listed && ManualTopic::called(word).is_none()
}

/// Reads an index: a heading for each group, and a row `| [TITLE](FILE) | PURPOSE |` for each page.
fn groups(index: &'static str) -> Vec<TopicGroup> {
    let mut groups: Vec<TopicGroup> = Vec::new();
    for line in index.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            groups.push(TopicGroup { title, topics: Vec::new() });
        }
        let row = line.strip_prefix("| [").and_then(|rest| rest.split_once("]("));
        let row = row.and_then(|(_, rest)| rest.split_once(") | "));
        let Some((file, purpose)) = row else { continue };
        if let (Some(group), Some(topic)) = (groups.last_mut(), ManualTopic::called(file)) {
            group.topics.push((topic, purpose.trim_end_matches(" |")));
        }
    }
    groups.retain(|group| !group.topics.is_empty());
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_binary_is_in_the_index_once() {
        let groups = topic_groups();
        let titles: Vec<_> = groups.iter().map(|group| group.title).collect();
        assert_eq!(titles, ["Tutorial", "How-to", "Reference", "Explanation", "Development"]);
        let mut listed: Vec<_> =
            groups.iter().flat_map(|group| &group.topics).map(|(topic, _)| topic.name).collect();
        listed.sort_unstable();
        let all: Vec<_> = ManualTopic::all().iter().map(|topic| topic.name).collect();
        assert_eq!(listed, all);
        assert!(is_left_out("litellm") && !is_left_out("ci") && !is_left_out("lite"));
    }
}
