//! Finding a value in what the caller got, and naming the place.

use serde_json::Value;

use crate::judge::dialect::text;

/// Members deeper than this are not looked at: no client looks there either.
const DEEPEST: usize = 32;

/// Every text, number and truth value in `value`, with its path and the name of its member.
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

/// Names are compared as people read them: `retry_after` is `Retry-After`.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    a.replace('_', "-").eq_ignore_ascii_case(&b.replace('_', "-"))
}

/// Whether a header is the one of this name, or its copy under a prefix of the proxy's
/// (`llm_provider-retry-after`).
pub fn is_named_after(header: &str, name: &str) -> bool {
    header.strip_suffix(name).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with(['-', '_']))
}

/// A header by its name, as a place.
pub(super) fn header(name: &str) -> String {
    format!("header {name}")
}
