//! What the words of scenario files mean: their descriptions in the JSON Schema, which are the documentation of the types.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::word_table::ListedWord;
use crate::bundled::SCHEMAS;

/// The definitions of the schema of scenario files.
static DEFINITIONS: LazyLock<Map<String, Value>> = LazyLock::new(|| {
    let text = SCHEMAS.get("scenario.schema.json").unwrap_or_default();
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(mut schema)) => match schema.remove("$defs") {
            Some(Value::Object(definitions)) => definitions,
            _ => Map::new(),
        },
        // The file is embedded in the binary, and a test reads it.
        _ => Map::new(),
    }
});

/// What a word of an enumeration means; `None` if the type does not have it.
pub(super) fn meaning(of: &str, word: &str) -> Option<String> {
    variants(of).find(|variant| variant["const"] == word).map(description)
}

/// Every fault, as a scenario writes it, with what it does.
pub(super) fn faults() -> Vec<ListedWord> {
    let mut words = Vec::new();
    for variant in variants("Fault") {
        match member(variant) {
            None => words.push(word(variant["const"].as_str().unwrap_or_default().to_owned(), variant)),
            // A group, such as `tls`: each of its faults is listed.
            Some((group, content)) => match group_of(content) {
                Some(inner) => {
                    for fault in variants(inner) {
                        let name = match member(fault) {
                            None => fault["const"].as_str().unwrap_or_default().to_owned(),
                            Some((name, arguments)) => format!("{{{name}: {}}}", arguments_of(arguments)),
                        };
                        words.push(word(format!("{group}: {name}"), fault));
                    }
                }
                None => words.push(word(format!("{group}: {}", arguments_of(content)), variant)),
            },
        }
    }
    words
}

fn word(name: String, variant: &Value) -> ListedWord {
    ListedWord { name, note: String::new(), meaning: description(variant) }
}

fn variants(of: &str) -> impl Iterator<Item = &'static Value> {
    let found = DEFINITIONS.get(of).and_then(|definition| definition["oneOf"].as_array());
    found.into_iter().flatten()
}

/// The only member of a variant with a value: its name and the schema of the value.
fn member(variant: &Value) -> Option<(&String, &Value)> {
    variant["properties"].as_object()?.iter().next()
}

/// The type of a value that is one of several faults.
fn group_of(schema: &Value) -> Option<&str> {
    let name = schema["$ref"].as_str()?.rsplit('/').next()?;
    let variants = DEFINITIONS.get(name)?["oneOf"].as_array()?;
    // The names of errors and alerts are values of a fault, and not faults.
    let is_word = |variant: &Value| member(variant).is_none() && description(variant).len() < 4;
    (name.ends_with("Fault") || name == "MalformedBody")
        .then_some(name)
        .filter(|_| !variants.iter().all(is_word))
}

/// The value of a fault in short: `{at, for}`, or `N`.
fn arguments_of(schema: &Value) -> String {
    let resolved = match schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        Some(name) => DEFINITIONS.get(name).unwrap_or(schema),
        None => schema,
    };
    match resolved["properties"].as_object() {
        Some(members) => format!("{{{}}}", members.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
        None if resolved["type"] == "integer" => "N".to_owned(),
        None if resolved["oneOf"].is_array() || resolved["enum"].is_array() => "NAME".to_owned(),
        None => "TIME".to_owned(),
    }
}

/// The description on one line, without the marks of Rust's documentation.
fn description(of: &Value) -> String {
    of["description"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_listed_as_scenarios_write_them() {
        let names: Vec<String> = faults().into_iter().map(|word| word.name).collect();
        for expected in [
            "refuse",
            "reset: {at}",
            "stall: {at, for}",
            "drip: {bytes_per_second}",
            "error_event: {error, at, form}",
            "latency: {before, time}",
            "tls: expired_certificate",
            "tls: {alert: NAME}",
            "connection: {slow_accept: TIME}",
            "http1: {interim: N}",
            "http2: {rst_stream: {code, at}}",
            "malform: not_json",
            "malform: {error: NAME}",
            "redirect: N",
            "close_frame: {code, reason, at}",
        ] {
            assert!(names.iter().any(|name| name == expected), "{expected} of {names:?}");
        }
    }
}
