//! The canonical form of a scenario file: the order of its keys, its line endings, its spaces and quotes.
//!
//! Everything is done on the text, so that comments stay. Each change is made only if the file has the same values
//! afterwards.

use std::{ops::Range, sync::LazyLock};

use serde_json::Value;

use super::{
    diagnostic::LoadErrors,
    load::load_text,
    node::{Node, NodeValue},
    parse::tree,
};
use crate::bundled::SCHEMAS;

/// The keys of a scenario in their order: that of the schema, which is also that of the documentation.
static ORDER: LazyLock<Vec<String>> = LazyLock::new(|| {
    let schema =
        SCHEMAS.get("scenario.schema.json").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let keys = schema.as_ref().and_then(|schema| schema["properties"].as_object());
    keys.map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
});

/// A line that editors read; it stays at the top of the file.
const EDITOR_LINE: &str = "# yaml-language-server:";

/// The canonical form of a scenario file. The result loads to the same scenario and keeps every comment; the canonical form
/// of it is the same text.
///
/// # Errors
/// If the file does not load.
pub(crate) fn canonical(id: &str, file: &str, source: &str) -> Result<String, LoadErrors> {
    load_text(id, file, source)?;
    let mut text = source.to_owned();
    for change in [unix_lines, ended, plain_lines, ordered, plain_quotes, ended] {
        text = if_same(&text, change(&text));
    }
    Ok(text)
}

/// The changed text if it has the same values as the text before, otherwise the text before.
fn if_same(before: &str, after: String) -> String {
    let is_same = before == after
        || matches!((tree(before), tree(&after)), (Ok(before), Ok(after)) if has_same_values(&before, &after, true));
    if is_same { after } else { before.to_owned() }
}

/// Whether two trees have the same values. The keys of a scenario may be in another order.
fn has_same_values(one: &Node, other: &Node, is_root: bool) -> bool {
    match (&one.value, &other.value) {
        (NodeValue::List(one), NodeValue::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| has_same_values(a, b, false))
        }
        (NodeValue::Map(one), NodeValue::Map(other)) if is_root => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| {
                    other.iter().any(|(own, b)| own.text() == key.text() && has_same_values(value, b, false))
                })
        }
        (NodeValue::Map(one), NodeValue::Map(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(a, b)| a.0.text() == b.0.text() && has_same_values(&a.1, &b.1, false))
        }
        (one, other) => one == other,
    }
}

/// Line feeds instead of carriage returns.
fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// No spaces at the end of lines, and a space for each run of tabs, except where they belong to a value.
fn plain_lines(text: &str) -> String {
    line_by_line(text, |line| {
        let (indentation, rest) = line.split_at(line.len() - line.trim_start_matches([' ', '\t']).len());
        if rest.starts_with('#') {
            return line.trim_end_matches([' ', '\t']).to_owned();
        }
        let words = rest.split('\t').map(|part| part.trim_matches(' ')).filter(|part| !part.is_empty());
        match rest.contains('\t') {
            true => format!("{indentation}{}", words.collect::<Vec<_>>().join(" ")).trim_end().to_owned(),
            false => line.trim_end_matches(' ').to_owned(),
        }
    })
}

/// No quotes around the values of keys that need none: `title: "A text"`.
fn plain_quotes(text: &str) -> String {
    line_by_line(text, |line| {
        let unquoted = || {
            let (key, value) = line.split_once(": ")?;
            let value = value.trim_start();
            let quote = value.chars().next().filter(|first| matches!(first, '"' | '\''))?;
            let inner = value.strip_prefix(quote)?.strip_suffix(quote)?;
            let is_plain = inner.starts_with(|first: char| first.is_alphabetic())
                && !inner.contains(['"', '\'', '\\', '#', '{', '['])
                && !["yes", "no", "on", "off", "y", "n"].contains(&inner.to_lowercase().as_str());
            (is_plain && ORDER.iter().any(|known| known == key)).then(|| format!("{key}: {inner}"))
        };
        unquoted().unwrap_or_else(|| line.to_owned())
    })
}

/// Changes every line, or, if that changed a value, each line that can be changed without it.
fn line_by_line(text: &str, change: impl Fn(&str) -> String) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let changed: Vec<String> = lines.iter().map(|line| change(line)).collect();
    let all = if_same(text, changed.join("\n"));
    if all != text {
        return all;
    }
    let mut kept: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    let mut text = text.to_owned();
    for (n, line) in changed.into_iter().enumerate() {
        if kept[n] == line {
            continue;
        }
        let before = std::mem::replace(&mut kept[n], line);
        let after = kept.join("\n");
        if if_same(&text, after.clone()) == after {
            text = after;
        } else {
            kept[n] = before;
        }
    }
    text
}

/// Exactly one line feed at the end, and no empty lines at the beginning.
fn ended(text: &str) -> String {
    format!("{}\n", text.trim_start_matches('\n').trim_end_matches('\n'))
}

/// The keys in their order, each with its value and the comments directly above it.
fn ordered(text: &str) -> String {
    let Some(mut parts) = parts(text) else { return text.to_owned() };
    parts.blocks.sort_by_key(|block| block.place);
    let ordered: Vec<&str> = parts.blocks.iter().map(|block| &text[block.range.clone()]).collect();
    format!("{}{}{}", &text[..parts.header], ordered.concat(), &text[parts.footer..])
}

/// A file, divided at its keys.
struct FileParts {
    /// The end of the comments about the whole file.
    header: usize,
    blocks: Vec<KeyBlock>,
    /// The beginning of the comments after the last value.
    footer: usize,
}

/// A key with its value, and the comments directly above it.
struct KeyBlock {
    /// The place of the key in [`ORDER`].
    place: usize,
    range: Range<usize>,
}

/// Divides a file at its keys, or `None` if they are not at the beginning of lines, as in JSON.
fn parts(text: &str) -> Option<FileParts> {
    let root = tree(text).ok()?;
    let NodeValue::Map(entries) = &root.value else { return None };
    let mut keys = Vec::new();
    for (key, _) in entries {
        let at = key.range.start;
        if !(at == 0 || text[..at].ends_with('\n')) {
            return None;
        }
        let place = ORDER.iter().position(|known| Some(known.as_str()) == key.text())?;
        keys.push((at, place));
    }
    let (first, _) = *keys.first()?;
    let header = header_end(&text[..first]);
    let mut starts: Vec<usize> = keys.iter().map(|(at, _)| comments_above(text, *at)).collect();
    *starts.first_mut()? = header;
    // Comments at the beginning of a line after the last value are about no key.
    let value_end = comments_above(text, text.len()).max(keys.last()?.0);
    let ends = starts.iter().skip(1).copied().chain([value_end]);
    let blocks = keys.iter().zip(&starts).zip(ends);
    let blocks = blocks.map(|(((_, place), start), end)| KeyBlock { place: *place, range: *start..end });
    Some(FileParts { header, blocks: blocks.collect(), footer: value_end })
}

/// The length of the comments about the whole file: those before the last empty line above the first key, and lines for
/// editors.
fn header_end(above: &str) -> usize {
    let after_empty = above.rfind("\n\n").map_or(0, |at| at + 2);
    let editor = above.split_inclusive('\n').scan(0, |at, line| {
        *at += line.len();
        Some((*at, line))
    });
    let after_editor = editor.filter(|(_, line)| line.starts_with(EDITOR_LINE) || line.starts_with("---"));
    after_editor.map(|(at, _)| at).last().unwrap_or(0).max(after_empty)
}

/// The beginning of the comments directly above an offset, which is the beginning of a line or the end. Comments above an
/// empty line belong to the value before, and so do empty lines, because a text that keeps its line feeds can end with them.
fn comments_above(text: &str, offset: usize) -> usize {
    let (mut start, mut at) = (offset, offset);
    let is_end = offset == text.len();
    for line in text[..offset].split_inclusive('\n').rev() {
        at -= line.len();
        match line {
            "\n" if is_end => {}
            line if line.starts_with('#') => start = at,
            _ => break,
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Library, Scenario, load_text};

    fn formatted(text: &str) -> String {
        canonical("t/x", "x.yaml", text).unwrap_or_else(|errors| panic!("{}\n{text}", errors.render(false)))
    }

    #[test]
    fn keys_move_with_their_comments() {
        let text = "# yaml-language-server: $schema=x\r\n# About the file.\n\n# Why not.\nwhy: w   \nupstream:\n  # The turn.\n  - \
                    error: rate_limit\t# the error\n\n# Two lines\n# of title.\ntitle:  \"A title\"\n# The end.\n\n";
        insta::assert_snapshot!(formatted(text), @"
        # yaml-language-server: $schema=x
        # About the file.

        # Two lines
        # of title.
        title: A title
        # Why not.
        why: w
        upstream:
          # The turn.
          - error: rate_limit # the error

        # The end.
        ");
    }

    #[test]
    fn what_belongs_to_a_value_stays() {
        for value in [
            "upstream: [{status: 500, body: \"a\\tb  c\"}]",
            "upstream:\n  - status: 500\n    body: |\n      a  \n      \tb\n\n      # no comment",
            "upstream:\n  - status: 500\n    headers: {retry-after: \"7\"}\n    body: >+\n      a  \n",
        ] {
            let text = format!("title: \"true\"\nwhy: \"a: b\"\n{value}\n");
            assert_eq!(formatted(&text), text);
        }
        assert_eq!(
            formatted("title: 'A b'\nwhy: \"c, d\"\nupstream: [{reply: ok}]"),
            "title: A b\nwhy: c, d\nupstream: [{reply: ok}]\n"
        );
        // JSON has no keys at the beginning of lines, and an alias must come after its anchor.
        for text in [
            "{\"why\": \"w\", \"title\": \"t\",\n \"upstream\": [{\"reply\": \"ok\"}]}\n",
            "why: &a w\ntitle: *a\nupstream: [{reply: ok}]\n",
        ] {
            assert_eq!(formatted(text), text);
        }
    }

    #[test]
    fn a_comment_below_a_value_stays_with_it() {
        let text = "upstream:\n- error: internal\n# - reply: ok\n\nwhy: w\ntitle: t\n";
        assert_eq!(
            formatted(text),
            "title: t\nwhy: w\nupstream:\n- error: internal\n# - reply: ok\n\n".trim_end().to_owned() + "\n"
        );
    }

    #[test]
    fn tabs_that_indent_json_and_comments_stay() {
        let text = "{\n\t\"title\": \"t\",\n\t\"why\": \"w\",\n\t\"upstream\": [{\"reply\": \"ok\"}]\n}\n";
        assert_eq!(formatted(text), text);
        let text = "title: t\n# a\tb\nwhy: w\nupstream: [{reply: ok}]\n";
        assert_eq!(formatted(text), text);
    }

    #[test]
    fn a_file_that_does_not_load_is_an_error() {
        let errors = canonical("t/x", "x.yaml", "titel: t\nwhy: w\nupstream: [{reply: ok}]\n").unwrap_err();
        assert!(errors.render(false).contains("unknown key `titel`"), "{}", errors.render(false));
    }

    #[test]
    fn bundled_scenarios_are_canonical() {
        let library = Library::bundled();
        for scenario in &library.scenarios {
            let text = library.text(&scenario.id);
            assert!(formatted(&text) == *text, "{}: run `upfault fmt scenarios`", scenario.file);
        }
    }

    #[test]
    fn the_order_is_that_of_the_documentation() {
        let page = include_str!("../../docs/scenarios.md");
        let (_, table) = page.split_once("\n## The file\n").expect("the keys have a section");
        let (table, _) = table.split_once("\nOnly a finding").expect("the table ends before a sentence");
        let keys: Vec<&str> =
            table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(keys, *ORDER);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

        /// The blocks of bundled scenarios in any order, with comments and spaces between them.
        #[test]
        fn any_order_of_the_keys_has_the_same_canonical_form(
            which: proptest::sample::Index, keys in proptest::collection::vec(proptest::num::u64::ANY, 20), crlf: bool,
        ) {
            let library = Library::bundled();
            let scenario = which.get(&library.scenarios);
            let text = library.text(&scenario.id);
            let parts = parts(&text).expect("bundled scenarios are YAML");
            let mut blocks: Vec<(u64, String)> = parts.blocks.iter().zip(&keys).map(|(block, key)| {
                let comment = if key % 3 == 0 { format!("# {key}\n") } else { String::new() };
                (*key, format!("{comment}{}", &text[block.range.clone()]))
            }).collect();
            let canonical_blocks: String = blocks.iter().map(|(_, block)| block.as_str()).collect();
            blocks.sort();
            let shuffled: String = blocks.iter().map(|(_, block)| block.as_str()).collect();
            let header = &text[..parts.header];
            let mut shuffled = format!("{header}{shuffled}");
            if crlf {
                shuffled = shuffled.replace('\n', "\r\n");
            }
            let once = formatted(&shuffled);
            // An empty line that is last in the shuffled file is not kept.
            let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
            proptest::prop_assert_eq!(lines(&once), lines(&format!("{header}{canonical_blocks}")));
            proptest::prop_assert_eq!(&formatted(&once), &once);
            let loaded = load_text(&scenario.id, &scenario.file, &once).expect("it still loads");
            // The place of the first key may be another one.
            proptest::prop_assert_eq!(&Scenario { line: scenario.line, ..loaded }, scenario.as_ref());
        }
    }
}
