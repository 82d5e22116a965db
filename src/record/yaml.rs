//! Texts as values in a YAML file, exactly as they are.

use crate::scenario::{block_text, must_be_escaped};

/// A text as the value of a key. `indent` is the number of spaces before the lines of a block.
///
/// A text of several lines becomes a block if that shows it exactly; other texts are on one line.
pub(super) fn yaml_text(text: &str, indent: usize) -> String {
    block(text, indent).unwrap_or_else(|| block_text(text))
}

/// A literal block that keeps all line ends (YAML 1.2 section 8.1). It cannot begin with a space or an empty line without
/// saying how far it is indented, and always ends with a line end.
fn block(text: &str, indent: usize) -> Option<String> {
    let is_block = text.ends_with('\n')
        && !text.starts_with([' ', '\t', '\n'])
        && !text.chars().any(|char| char != '\n' && must_be_escaped(char))
        && !text.lines().any(|line| !line.is_empty() && line.trim().is_empty());
    let pad = " ".repeat(indent);
    is_block.then(|| {
        let lines: Vec<String> = text
            .lines()
            .map(|line| if line.is_empty() { String::new() } else { format!("{pad}{line}") })
            .collect();
        format!("|+\n{}", lines.join("\n"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(text: &str) -> String {
        let file = format!("list:\n  - text: {}\n  - text: end\n", yaml_text(text, 6));
        let value: serde_json::Value =
            serde_saphyr::from_str(&file).unwrap_or_else(|error| panic!("{error}\n{file}"));
        assert_eq!(value["list"][1]["text"], "end", "{file}");
        value["list"][0]["text"].as_str().expect("a text").to_owned()
    }

    #[test]
    fn every_text_is_read_back_exactly() {
        for text in [
            "",
            " ",
            "a",
            "data: {\"a\": 1}\n\n",
            "data: 1\n\ndata: 2\n\n",
            "a\n",
            "a\n\n\n",
            "\na\n",
            " a\n",
            "a\r\n\r\n",
            "{\"it\": \"isn't\"}",
            "\"",
            "'",
            "\\n",
            "null",
            "yes",
            "1",
            "- a\n",
            "# a\n",
            "a: b\n",
            "tab\there\n",
            "a\n \nb\n",
            "\u{e9}\u{1f600}\n",
            "{{x}}",
            "%YAML\n",
            "---\n",
            "...\n",
            "a\u{2028}b\n",
            "\u{feff}a\n",
        ] {
            assert_eq!(read_back(text), text, "{text:?}");
        }
    }

    #[test]
    fn a_text_does_not_look_different_from_what_it_is() {
        for text in ["a\u{202e}b\n", "a\u{2066}b", "\u{feff}a\n", "a\u{200f}\n"] {
            let written = yaml_text(text, 6);
            assert!(written.is_ascii(), "{written}");
            assert_eq!(read_back(text), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_back_exactly(parts in proptest::collection::vec(proptest::sample::select(vec![
            "a", "\n", " ", ":", "\"", "'", "#", "data: ", "{", "}", "-", "\\", "\u{e9}", "|", "\t", "\r\n",
        ]), 0..12)) {
            let text = parts.concat();
            proptest::prop_assert_eq!(read_back(&text), text);
        }
    }
}
