//! Says what is wrong with a value, and which line to write instead.

use std::ops::Range;

use super::{
    diagnostic::{meant, nearest},
    example_line::{Place, elsewhere, line},
    node::{Node, NodeValue},
    node_error::{NodeError, NodeErrorKind},
    synonyms::{is_same_word, meaning},
};

/// What is wrong, what to do, and the change that does it if it is mechanical.
pub(super) struct Description {
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// A range and the text that replaces it.
    pub(super) fix: Option<(Range<usize>, String)>,
}

/// Describes an error. `keys` lead to the value, `node` is the value.
pub(super) fn describe(error: &NodeError, keys: &[&str], node: &Node, source: &str) -> Description {
    let place = Place::of(keys);
    let mut fix = None;
    let help = match &error.kind {
        NodeErrorKind::UnknownKey { key, expected } => {
            let near = meant_by(key, expected);
            // A key that exists elsewhere is not misspelled.
            let is_here = near.is_some_and(|near| meaning(key, &[near]).is_some());
            // A file that is not a scenario has keys of its own.
            let is_scenario = place != Place::File || expected.contains(&"upstream");
            let moved = elsewhere(place, key).filter(|_| !is_here && is_scenario);
            fix = replacement(error, near, key, source).filter(|_| moved.is_none());
            Some(unknown_key(key, expected, moved))
        }
        NodeErrorKind::UnknownName { name, expected } => {
            let near = meant_by(name, expected);
            fix = replacement(error, near, name, source);
            let is_number = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
            Some(match expected.contains(&"after_events") && is_number {
                true => format!("write `at: {{after_events: {name}}}`, or a point such as `after_content`"),
                false => meant(name, expected),
            })
        }
        NodeErrorKind::MissingKey(key) => {
            let known = line(inside(place, keys), key).filter(|line| line.starts_with(key));
            let example =
                keys.last().and_then(|own| line(place, own)).filter(|line| line.contains(&format!("{key}:")));
            Some(match known.or(example) {
                Some(line) => format!("add it, for example `{line}`"),
                None => format!("add `{key}: …`"),
            })
        }
        NodeErrorKind::Unfit { expected, .. } => {
            let key = keys.last().copied().unwrap_or_default();
            let (help, text) = unfit(expected, key, place, node);
            fix = text.filter(|_| is_scalar(node)).map(|text| (node.range.clone(), text));
            help
        }
        NodeErrorKind::ManyNames(names) => Some(format!(
            "write each as an entry of its own: {}",
            names.iter().map(|name| format!("`- {name}: …`")).collect::<Vec<_>>().join(", ")
        )),
        NodeErrorKind::NoValues(name) => line(place, name)
            .or_else(|| line(Place::Fault, name))
            .or_else(|| line(Place::Turn, name))
            .map(|line| format!("write for example `{line}`")),
        NodeErrorKind::Other(text) => without_unit(text, keys)
            .or_else(|| text.split_once("; write ").map(|(_, help)| format!("write {help}"))),
    };
    Description { message: message(error), help, fix }
}

fn message(error: &NodeError) -> String {
    match &error.kind {
        NodeErrorKind::Unfit { found, expected } => format!("found {found}, expected {}", in_words(expected)),
        NodeErrorKind::Other(text) => text.split("; write ").next().unwrap_or(text).to_owned(),
        _ => error.to_string(),
    }
}

/// What a word most likely means here.
pub(super) fn meant_by<'e>(word: &str, expected: &[&'e str]) -> Option<&'e str> {
    meaning(word, expected).or_else(|| nearest(word, expected.iter().copied()))
}

fn unknown_key(key: &str, expected: &[&str], moved: Option<(Place, &'static str)>) -> String {
    if let Some((other, line)) = moved {
        return format!("`{key}` belongs in {}: write `{line}` there", other.name());
    }
    if let Some(item) = key.strip_prefix('-') {
        return format!("an entry of a list begins with a dash and a space: write `- {item}: …`");
    }
    meant(key, expected)
}

/// The place of the keys of a value, which is one level below the value itself.
fn inside(place: Place, keys: &[&str]) -> Place {
    match Place::of(&[keys, &["key"][..]].concat()) {
        Place::File => place,
        inner => inner,
    }
}

/// The change that replaces a word by the one that is meant, if it is the same word in another form or with one wrong
/// letter. A word that only has a similar meaning is for people to decide.
fn replacement(
    error: &NodeError,
    near: Option<&str>,
    word: &str,
    source: &str,
) -> Option<(Range<usize>, String)> {
    let (near, range) = (near.filter(|near| is_same_word(word, near))?, error.range.clone()?);
    // In quotes, or as an alias, the text in the file differs from the word.
    (source.get(range.clone()) == Some(word)).then(|| (range, near.to_owned()))
}

fn is_scalar(node: &Node) -> bool {
    !matches!(node.value, NodeValue::List(_) | NodeValue::Map(_) | NodeValue::Null(_))
}

/// The help for a value of the wrong type, and the text that would be right in its place.
fn unfit(expected: &str, key: &str, place: Place, node: &Node) -> (Option<String>, Option<String>) {
    let shown = match &node.value {
        NodeValue::Text(text) => quoted(text),
        NodeValue::Bool(_, text)
        | NodeValue::Unsigned(_, text)
        | NodeValue::Signed(_, text)
        | NodeValue::Float(_, text) => text.clone(),
        _ => String::new(),
    };
    let is_text = matches!(node.value, NodeValue::Text(_));
    if wants_list(expected) && is_scalar(node) {
        let text = format!("[{shown}]");
        return (Some(format!("write a list: `{key}: {text}`")), Some(text));
    }
    if expected == "a boolean" && is_text {
        let text = match node.text().unwrap_or_default().to_ascii_lowercase().as_str() {
            "yes" | "y" | "on" | "true" | "1" => "true",
            "no" | "n" | "off" | "false" | "0" => "false",
            _ => return (Some("write `true` or `false`, without quotes".to_owned()), None),
        };
        return (Some(format!("write `{text}`, without quotes")), Some(text.to_owned()));
    }
    if is_number(expected) && is_text {
        let text = node.text().unwrap_or_default().trim();
        return match text.parse::<u64>() {
            Ok(_) => (Some(format!("write it without quotes: `{key}: {text}`")), Some(text.to_owned())),
            Err(_) => (line(place, key).map(|line| format!("write for example `{line}`")), None),
        };
    }
    if is_text
        && node.text().is_some_and(|text| text.contains(':') && !text.contains(' '))
        && !is_number(expected)
    {
        let text = node.text().unwrap_or_default().replacen(':', ": ", 1);
        return (Some(format!("a colon needs a space after it: `{text}`")), None);
    }
    let known = line(place, key).or_else(|| elsewhere(place, key).map(|(_, line)| line));
    (known.map(|line| format!("write for example `{line}`")), None)
}

/// A duration without its unit.
fn without_unit(text: &str, keys: &[&str]) -> Option<String> {
    let number = text.strip_prefix('`')?.split_once("` is not a duration")?.0;
    number.parse::<f64>().ok()?;
    let key = keys.last().copied().unwrap_or("for");
    Some(format!("write `{key}: {number}s` for seconds, or `{key}: {number}ms` for milliseconds"))
}

fn wants_list(expected: &str) -> bool {
    expected == "a sequence" || expected.starts_with("a list")
}

fn is_number(expected: &str) -> bool {
    let digits = expected.strip_prefix(['u', 'i', 'f']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Translates serde's name of a type into words for the author of a file.
fn in_words(expected: &str) -> String {
    match expected {
        "a string" => "text".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        _ if wants_list(expected) && expected == "a sequence" => "a list (`[a, b]`)".to_owned(),
        _ if expected.starts_with("struct ") || expected == "a map" => {
            "keys with values (`{key: value}`)".to_owned()
        }
        _ if expected.starts_with("variant ") || expected.starts_with("enum ") => "a name".to_owned(),
        _ if expected.starts_with('u') && is_number(expected) => "a whole number, 0 or more".to_owned(),
        _ if expected.starts_with('i') && is_number(expected) => "a whole number".to_owned(),
        _ if is_number(expected) => "a number".to_owned(),
        _ => expected.to_owned(),
    }
}

/// A text as it can be written in a list.
fn quoted(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | ' '))
        && text.trim() == text
        && !matches!(text, "true" | "false" | "null")
        && text.parse::<f64>().is_err();
    if is_plain { text.to_owned() } else { format!("{text:?}") }
}
