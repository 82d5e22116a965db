//! Removes keys and personal data from what is copied out of evidence.

use serde_json::{Map, Value};

pub(super) use crate::observation::without_secrets as redacted;

/// The JSON with its texts and the names of its members [redacted], and how many secrets were replaced.
pub(super) fn redacted_json(json: Value) -> (Value, usize) {
    match json {
        Value::String(text) => {
            let (text, count) = redacted(&text);
            (Value::String(text), count)
        }
        Value::Array(items) => {
            let (items, counts): (Vec<Value>, Vec<usize>) = items.into_iter().map(redacted_json).unzip();
            (Value::Array(items), counts.iter().sum())
        }
        Value::Object(members) => {
            let mut count = 0;
            let mut kept = Map::new();
            for (name, value) in members {
                let (name, in_name) = redacted(&name);
                let (value, in_value) = redacted_json(value);
                count += in_name + in_value;
                kept.insert(unused(name, &kept), value);
            }
            (Value::Object(kept), count)
        }
        other => (other, 0),
    }
}

/// `name`, with a number if there is such a member already: no member is lost.
fn unused(name: String, members: &Map<String, Value>) -> String {
    if !members.contains_key(&name) {
        return name;
    }
    let numbered = (2..).map(|n: usize| format!("{name} {n}"));
    numbered.into_iter().find(|numbered| !members.contains_key(numbered)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_replaced_in_values_and_in_names() {
        let json = json!({
            "errors": {"jane.doe@example.com": "no quota", "john@example.com": ["org-AbCdEf123456"]},
            "REDACTED": 1,
            "code": 429,
        });
        let expected = json!({
            "errors": {"REDACTED": "no quota", "REDACTED 2": ["REDACTED"]},
            "REDACTED": 1,
            "code": 429,
        });
        assert_eq!(redacted_json(json), (expected, 3));
    }
}
