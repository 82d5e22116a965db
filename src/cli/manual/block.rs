//! A page as a tree of blocks, from its Markdown.

use std::iter::Peekable;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::page::ManualTopic;

/// A part of a page. Its texts are plain, with code between backticks; links name what they lead to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    Heading {
        level: usize,
        text: String,
    },
    Paragraph(String),
    /// A fenced block, with its line feeds.
    Code(String),
    List {
        first: Option<u64>,
        items: Vec<Vec<Block>>,
    },
    Table(Vec<Vec<String>>),
}

/// The blocks of a Markdown text.
pub(super) fn blocks(markdown: &str) -> Vec<Block> {
    BlockReader { events: Parser::new_ext(markdown, Options::ENABLE_TABLES).peekable() }.until(None)
}

struct BlockReader<'t, I: Iterator<Item = Event<'t>>> {
    events: Peekable<I>,
}

impl<'t, I: Iterator<Item = Event<'t>>> BlockReader<'t, I> {
    /// The blocks up to this end, or to the end of the page.
    fn until(&mut self, end: Option<TagEnd>) -> Vec<Block> {
        let mut found = Vec::new();
        while let Some(event) = self.events.peek() {
            match event {
                Event::End(this) if Some(*this) == end => {
                    self.events.next();
                    break;
                }
                // The text of a short item of a list is in no paragraph.
                Event::Text(_)
                | Event::Code(_)
                | Event::Start(Tag::Link { .. } | Tag::Strong | Tag::Emphasis) => {
                    found.push(Block::Paragraph(self.text(None)));
                }
                _ => {
                    if let Some(Event::Start(tag)) = self.events.next() {
                        found.extend(self.block(&tag));
                    }
                }
            }
        }
        found
    }

    fn block(&mut self, tag: &Tag<'t>) -> Option<Block> {
        Some(match tag {
            Tag::Heading { level, .. } => {
                Block::Heading { level: *level as usize, text: self.text(Some(TagEnd::Heading(*level))) }
            }
            Tag::Paragraph => Block::Paragraph(self.text(Some(TagEnd::Paragraph))),
            Tag::CodeBlock(_) => Block::Code(self.code()),
            Tag::List(first) => Block::List { first: *first, items: self.items(first.is_some()) },
            Tag::Table(_) => Block::Table(self.rows()),
            Tag::HtmlBlock => {
                self.until(Some(TagEnd::HtmlBlock));
                return None;
            }
            // The content of any other block, such as a quotation, is read as if the block were not there.
            _ => return None,
        })
    }

    fn code(&mut self) -> String {
        let mut text = String::new();
        for event in self.events.by_ref() {
            match event {
                Event::Text(part) => text.push_str(&part),
                Event::End(TagEnd::CodeBlock) => break,
                _ => {}
            }
        }
        text
    }

    fn items(&mut self, is_numbered: bool) -> Vec<Vec<Block>> {
        let mut items = Vec::new();
        while let Some(event) = self.events.next() {
            match event {
                Event::Start(Tag::Item) => items.push(self.until(Some(TagEnd::Item))),
                Event::End(end) if end == TagEnd::List(is_numbered) => break,
                _ => {}
            }
        }
        items
    }

    /// The rows of a table; the first one is its head.
    fn rows(&mut self) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        while let Some(event) = self.events.next() {
            match event {
                Event::Start(Tag::TableHead | Tag::TableRow) => rows.push(Vec::new()),
                Event::Start(Tag::TableCell) => {
                    let cell = self.text(Some(TagEnd::TableCell));
                    if let Some(row) = rows.last_mut() {
                        row.push(cell);
                    }
                }
                Event::End(TagEnd::Table) => break,
                _ => {}
            }
        }
        rows
    }

    /// The text up to this end. Without one, up to the first event that belongs to no text.
    fn text(&mut self, end: Option<TagEnd>) -> String {
        let mut text = String::new();
        let mut links: Vec<(String, usize)> = Vec::new();
        while let Some(event) = self.events.peek() {
            match event {
                Event::Text(part) => text.push_str(part),
                Event::Code(code) => text.push_str(&format!("`{code}`")),
                Event::SoftBreak | Event::HardBreak => text.push(' '),
                Event::Start(Tag::Link { dest_url, .. }) => links.push((dest_url.to_string(), text.len())),
                Event::End(TagEnd::Link) => {
                    if let Some((to, start)) = links.pop() {
                        let suffix = leads_to(&to, &text[start..]);
                        text.push_str(&suffix);
                    }
                }
                Event::Start(Tag::Emphasis) | Event::End(TagEnd::Emphasis) => text.push('*'),
                Event::Start(Tag::Strong) | Event::End(TagEnd::Strong) | Event::InlineHtml(_) => {}
                Event::End(this) if Some(*this) == end => {
                    self.events.next();
                    break;
                }
                _ if end.is_none() => break,
                _ => {}
            }
            self.events.next();
        }
        text
    }
}

/// What is written after the text of a link: the topic and the section in brackets, the address in parentheses, or nothing
/// for a section of the same page.
fn leads_to(to: &str, text: &str) -> String {
    if to.contains("://") {
        return if to == text { String::new() } else { format!(" ({to})") };
    }
    let (file, section) = to.split_once('#').unwrap_or((to, ""));
    if file.is_empty() {
        return String::new();
    }
    match ManualTopic::called(file) {
        Some(topic) if section.is_empty() => format!(" [{}]", topic.name),
        Some(topic) => format!(" [{} {section}]", topic.name),
        None => format!(" ({})", file.trim_start_matches("../")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_name_the_topics_and_sections_that_they_lead_to() {
        let text = "See [CI](ci.md), [codes](ci.md#exit-codes), [below](#x), [a](../examples/a), <https://b.c> and [d](https://e.f).";
        assert_eq!(
            blocks(text),
            [Block::Paragraph(
                "See CI [ci], codes [ci exit-codes], below, a (examples/a), https://b.c and d (https://e.f)."
                    .to_owned()
            )]
        );
    }

    #[test]
    fn every_kind_of_block_is_read() {
        let text = "<!-- hidden -->\n# T\n\n- a `b`\n- **c**\n\n  d\n\n1. e\n\n| h | i |\n|---|---|\n| j \\| | k |\n\n```text\nl\n\nm\n```\n> n\n";
        let paragraph = |text: &str| Block::Paragraph(text.to_owned());
        assert_eq!(
            blocks(text),
            [
                Block::Heading { level: 1, text: "T".to_owned() },
                Block::List {
                    first: None,
                    items: vec![vec![paragraph("a `b`")], vec![paragraph("c"), paragraph("d")]]
                },
                Block::List { first: Some(1), items: vec![vec![paragraph("e")]] },
                Block::Table(vec![
                    vec!["h".to_owned(), "i".to_owned()],
                    vec!["j |".to_owned(), "k".to_owned()]
                ]),
                Block::Code("l\n\nm\n".to_owned()),
                paragraph("n"),
            ]
        );
    }
}
