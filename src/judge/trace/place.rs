//! Finds values in the caller's response, and names their places.

use serde_json::Value;

use crate::dialect::text;

/// Members that are nested deeper are ignored: no client reads them either.
const DEEPEST: usize = 32;

/// Every string, number and boolean in `value`: its path, the name of its member, and its text.
pub(super) fn leaves(value: &Value) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    collect(value, String::new(), "", 0, &mut found);
    found
}

fn collect(value: &Value, path: String, name: &str, depth: usize, found: &mut Vec<(String, String, String)>) {
    let below = |member: &str| if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") };
    match value {
        Value::Null => {}
        _ if depth > DEEPEST => {}
        Value::Object(members) => {
            for (member, value) in members {
                collect(value, below(member), member, depth + 1, found);
            }
        }
        Value::Array(items) => {
            for (i, value) in items.iter().enumerate() {
                collect(value, format!("{path}[{i}]"), name, depth + 1, found);
            }
        }
        leaf => found.push((path, name.to_owned(), text(leaf))),
    }
}

/// Whether two names are equal, ignoring case and treating `_` as `-`: `retry_after` is `Retry-After`.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a.replace('_', "-").eq_ignore_ascii_case(&b.replace('_', "-"))
}

/// Whether a header has this name, possibly with a prefix that the proxy added (`llm_provider-retry-after`).
pub(crate) fn is_named_after(header: &str, name: &str) -> bool {
    header.strip_suffix(name).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with(['-', '_']))
}

/// The place of a header.
pub(super) fn header(name: &str) -> String {
    format!("header {name}")
}
