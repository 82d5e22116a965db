//! Tests that an exhibit shows every word of the fault vocabulary, and that a scenario file can contain every
//! exhibit.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::scenario::{ArmRequest, ErrorName, Fault, Library, TurnReply, fault_text, load_arm, load_dir};

/// Returns every leaf in the JSON Schema of a fault: `reset.at.before_end`, `tls.alert.access_denied`.
fn vocabulary() -> BTreeSet<String> {
    let schema = schemars::schema_for!(Fault).to_value();
    let mut leaves = BTreeSet::new();
    walk(&schema, &schema, "", &mut leaves);
    leaves
}

fn walk(root: &Value, schema: &Value, path: &str, leaves: &mut BTreeSet<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(place) = schema.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(place.trim_start_matches('#')).expect("a reference leads somewhere");
        return walk(root, target, path, leaves);
    }
    for any in ["oneOf", "anyOf"] {
        if let Some(variants) = schema.get(any).and_then(Value::as_array) {
            return variants.iter().for_each(|variant| walk(root, variant, path, leaves));
        }
    }
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        leaves.insert(below(word));
    } else if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        leaves.extend(words.iter().filter_map(Value::as_str).map(below));
    } else if let Some(members) = schema.get("properties").and_then(Value::as_object) {
        members.iter().for_each(|(name, member)| walk(root, member, &below(name), leaves));
    } else if schema.get("type") != Some(&json!("null")) {
        leaves.insert(path.to_owned());
    }
}

/// Collects the leaves of one fault.
fn shown(value: &Value, path: &str, leaves: &mut BTreeSet<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| shown(member, &below(name), leaves))
        }
        Value::String(word) => leaves.extend([path.to_owned(), below(word)]),
        _ => {
            leaves.insert(path.to_owned());
        }
    }
}

/// Whether no exhibit is needed: a file may not contain this leaf because it can never happen, or other tests
/// prove it.
fn needs_no_exhibit(leaf: &str) -> bool {
    // The bytes of an error come from the provider's catalogue, and other tests check each row of it.
    let catalogue = ErrorName::ALL.iter().any(|error| {
        [format!("error_event.error.{error}"), format!("malform.error.{error}")].contains(&leaf.to_owned())
    });
    let no_place_for_an_event = [
        "error_event",
        "unknown_event",
        "comment",
        "ping",
        "close_frame",
        "event_stream.unknown_message",
        "event_stream.bad_prelude_crc",
        "event_stream.bad_message_crc",
    ]
    .iter()
    .any(|fault| {
        [format!("{fault}.at.before_headers"), format!("{fault}.at.after_bytes")].contains(&leaf.to_owned())
    });
    // Where the content is depends on the message and not on the fault: `reset` shows these points.
    let of_content = ["after_content", "inside_tool_call", "after_tool_arguments"]
        .iter()
        .any(|point| leaf.ends_with(&format!(".at.{point}")) && !leaf.starts_with("reset."));
    catalogue
        || of_content
        || no_place_for_an_event
        || ["truncate.at.before_headers", "http1.bad_chunk_size.at.before_headers"].contains(&leaf)
}

#[test]
fn every_word_of_the_vocabulary_is_shown() {
    let mut leaves = BTreeSet::new();
    for exhibit in exhibits() {
        for fault in &exhibit.turn.faults {
            shown(&serde_json::to_value(fault).unwrap(), "", &mut leaves);
        }
    }
    let vocabulary = vocabulary();
    assert!(vocabulary.len() > 120, "the walk through the schema finds {}", vocabulary.len());
    let missing: Vec<_> = vocabulary.difference(&leaves).filter(|leaf| !needs_no_exhibit(leaf)).collect();
    assert!(missing.is_empty(), "no exhibit shows these: {missing:#?}");
}

/// Returns the fault that a leaf belongs to, without codes, places and times. For faults in families (`tls`,
/// `http1`, …) it includes the word after the family.
fn fault_of(leaf: &str) -> String {
    const FAMILIES: &[&str] = &[
        "connection",
        "tls",
        "http1",
        "http2",
        "malform",
        "content_encoding",
        "content_type",
        "event_stream",
    ];
    let mut words = leaf.split('.');
    let first = words.next().unwrap_or_default();
    match words.next() {
        Some(second) if FAMILIES.contains(&first) => format!("{first}.{second}"),
        _ => first.to_owned(),
    }
}

#[test]
fn every_fault_is_in_a_bundled_scenario() {
    let library = load_dir(std::path::Path::new(env!("CARGO_MANIFEST_DIR")), &[]).expect("it loads");
    let mut leaves = BTreeSet::new();
    for turn in library.scenarios.iter().flat_map(|scenario| scenario.deployments.values()).flatten() {
        for fault in &turn.faults {
            shown(&serde_json::to_value(fault).unwrap(), "", &mut leaves);
        }
    }
    let of = |leaves: &BTreeSet<String>| leaves.iter().map(|leaf| fault_of(leaf)).collect::<BTreeSet<_>>();
    let (all, there) = (of(&vocabulary()), of(&leaves));
    assert!(all.len() > 60, "the vocabulary has {}", all.len());
    let missing: Vec<_> = all.difference(&there).collect();
    assert!(missing.is_empty(), "no scenario has these: {missing:#?}");
}

#[test]
fn every_exhibit_can_be_written_in_a_scenario_file() {
    let mut refused = Vec::new();
    for exhibit in exhibits().iter().filter(|exhibit| !exhibit.turn.faults.is_empty()) {
        let faults: Vec<String> = exhibit.turn.faults.iter().map(fault_text).collect();
        let reply = match &exhibit.turn.answer {
            TurnReply::Reply(reply) => json!(reply),
            _ => json!("ok"),
        };
        let text = format!(
            "provider: {}\ntransport: {}\nupstream:\n  - reply: {reply}\n    faults:\n      - {}\n",
            exhibit.call.provider(),
            exhibit.transport,
            faults.join("\n      - ")
        );
        let wanted: ArmRequest = match load_arm(&text, &Library::default()) {
            Ok(wanted) => wanted,
            Err(errors) => {
                refused.push(errors.render(false));
                continue;
            }
        };
        let turns = wanted.deployments.values().next().unwrap();
        assert_eq!(turns[0].faults, exhibit.turn.faults, "{text}");
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn no_two_exhibits_have_the_same_name() {
    let mut names: Vec<String> =
        exhibits().iter().map(|exhibit| format!("{}: {}", exhibit.family, exhibit.name())).collect();
    names.sort();
    let twins: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    assert!(twins.is_empty(), "{twins:#?}");
}

#[test]
fn words_and_patterns_choose_exhibits() {
    let count = |word: &str| exhibits().iter().filter(|exhibit| exhibit.matches(word)).count();
    assert_eq!(count("tls: {alert:"), 8);
    assert_eq!(count("ALERT*access"), 1);
    assert_eq!(count("http/2: *goaway*no_error"), 6);
    assert_eq!(count("nothing like that"), 0);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "`just schema` sets this variable")]
fn the_checked_in_schema_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/selftest.schema.json");
    let now = crate::scenario::schema_of::<super::Selftest>();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == now, "schema/selftest.schema.json is out of date: run `just schema`");
}
