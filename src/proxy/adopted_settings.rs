//! What a run changes in the settings of a configuration that a user wrote for the proxy.

use serde_json::{Map, Value};

use super::adopt_document::{AdoptDocument, ChangeDocument, SelectDocument};

/// A part of a configuration that a run does not use or changes: its path and the reason.
pub(super) type ChangedPart = (String, String);

/// Returns the member at a path (`a.b`).
pub(super) fn member<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

/// Applies everything that the document says about settings. Returns what changed, in the order of the document.
pub(super) fn prepare(
    config: &mut Value,
    document: &AdoptDocument,
    variables: &[String],
) -> Vec<ChangedPart> {
    let mut changed = Vec::new();
    // Each case has fallbacks of its own.
    for path in document.settings.fallbacks.iter().chain(&document.settings.default_fallbacks) {
        remove(config, path);
    }
    for (path, reason) in &document.leaves {
        let removed = remove(config, path);
        changed.extend(removed.into_iter().map(|path| (path, reason.clone())));
    }
    for (path, select) in &document.selects {
        changed.extend(
            keep_selected(config, path, select)
                .into_iter()
                .map(|text| (format!("{path}: {text}"), select.reason.clone())),
        );
    }
    for change in &document.changes {
        changed.extend(apply(config, change));
    }
    let mut unset = Vec::new();
    strip_variables(config, &document.variable, variables, "", &mut unset);
    changed.extend(unset.into_iter().map(|(path, name)| (path, unset_reason(&name))));
    changed
}

/// Why a part that reads a variable without a value is not used.
pub(super) fn unset_reason(name: &str) -> String {
    format!("it reads {name}, which has no value (`--set {name}=VALUE`)")
}

/// Removes members at a path, whose last part can end with `*`. Returns the paths of those that existed.
fn remove(value: &mut Value, path: &str) -> Vec<String> {
    let Value::Object(members) = value else { return Vec::new() };
    if let Some((first, rest)) = path.split_once('.') {
        let removed = members.get_mut(first).map(|inner| remove(inner, rest)).unwrap_or_default();
        return removed.into_iter().map(|rest| format!("{first}.{rest}")).collect();
    }
    let is_meant = |name: &str| match path.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == path,
    };
    let names: Vec<String> = members.keys().filter(|name| is_meant(name)).cloned().collect();
    names.into_iter().filter(|name| members.shift_remove(name).is_some()).collect()
}

/// Removes entries of a list. Returns the texts by which they were removed. A list without entries is removed.
fn keep_selected(value: &mut Value, path: &str, select: &SelectDocument) -> Vec<String> {
    let mut removed = Vec::new();
    let Some((parent, name)) = parent(value, path) else { return removed };
    let Some(list) = parent.get_mut(name) else { return removed };
    // A single entry can be written without a list.
    let entries = if let Value::Array(entries) = list { std::mem::take(entries) } else { vec![list.take()] };
    let (kept, gone): (Vec<Value>, Vec<Value>) = entries
        .into_iter()
        .partition(|entry| text_of(entry, select).is_some_and(|text| select.keep.0.is_match(text)));
    removed.extend(gone.iter().map(|entry| text_of(entry, select).unwrap_or("an entry").to_owned()));
    if kept.is_empty() {
        parent.shift_remove(name);
    } else {
        parent.insert(name.to_owned(), Value::Array(kept));
    }
    removed
}

fn text_of<'v>(entry: &'v Value, select: &SelectDocument) -> Option<&'v str> {
    match &select.by {
        Some(path) => member(entry, path)?.as_str(),
        None => entry.as_str(),
    }
}

/// The mapping that contains the last part of a path, and that part.
fn parent<'v, 'p>(value: &'v mut Value, path: &'p str) -> Option<(&'v mut Map<String, Value>, &'p str)> {
    match path.split_once('.') {
        Some((first, rest)) => parent(value.get_mut(first)?, rest),
        None => Some((value.as_object_mut()?, path)),
    }
}

fn apply(config: &mut Value, change: &ChangeDocument) -> Option<ChangedPart> {
    let ChangeDocument { when, is, path, value, unless, reason } = change;
    let needed = member(config, when) == Some(is);
    if !needed || member(config, path).is_some_and(|now| now == value || unless.contains(now)) {
        return None;
    }
    let mut place = config;
    for name in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = place.as_object_mut()?.entry(name.to_owned()).or_insert(Value::Null);
    }
    *place = value.clone();
    Some((path.clone(), reason.clone()))
}

/// Removes texts that read environment variables without a value. Adds the path and the variable of each to `unset`.
pub(super) fn strip_variables(
    value: &mut Value,
    prefix: &str,
    variables: &[String],
    path: &str,
    unset: &mut Vec<(String, String)>,
) {
    if prefix.is_empty() {
        return;
    }
    let missing = |value: &Value| {
        let name = value.as_str()?.strip_prefix(prefix)?;
        (!variables.iter().any(|known| known == name)).then(|| name.to_owned())
    };
    match value {
        Value::Object(members) => {
            members.retain(|name, value| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                strip_variables(value, prefix, variables, &path, unset);
                missing(value).map(|name| unset.push((path, name))).is_none()
            });
        }
        Value::Array(items) => items.retain_mut(|value| {
            strip_variables(value, prefix, variables, path, unset);
            missing(value).map(|name| unset.push((path.to_owned(), name))).is_none()
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_removed_by_their_path_or_its_beginning() {
        let mut config = json!({"r": {"redis_host": 1, "redis_port": 2, "x": 3}, "s": {"a": 1}});
        assert_eq!(remove(&mut config, "r.redis_*"), ["r.redis_host", "r.redis_port"]);
        assert_eq!(remove(&mut config, "s.b"), Vec::<String>::new());
        assert_eq!(config, json!({"r": {"x": 3}, "s": {"a": 1}}));
    }

    #[test]
    fn entries_of_a_list_are_selected_and_an_empty_list_is_removed() {
        let select = |by: Option<&str>| SelectDocument {
            by: by.map(str::to_owned),
            keep: serde_json::from_value(json!("\\.")).unwrap(),
            reason: String::new(),
        };
        let mut config = json!({"a": ["langfuse", "mine.handler"], "b": "s3", "c": [{"p": {"g": "lakera"}}]});
        assert_eq!(keep_selected(&mut config, "a", &select(None)), ["langfuse"]);
        assert_eq!(keep_selected(&mut config, "b", &select(None)), ["s3"]);
        assert_eq!(keep_selected(&mut config, "c", &select(Some("p.g"))), ["lakera"]);
        assert_eq!(config, json!({"a": ["mine.handler"]}));
    }

    #[test]
    fn a_value_changes_only_if_it_must() {
        let change = ChangeDocument {
            when: "s.cache".to_owned(),
            is: json!(true),
            path: "s.params.type".to_owned(),
            value: json!("local"),
            unless: vec![json!("disk")],
            reason: "why".to_owned(),
        };
        let changed = |mut config: Value| (apply(&mut config, &change).is_some(), config);
        let (is, config) = changed(json!({"s": {"cache": true}}));
        assert!(is && config["s"]["params"]["type"] == "local");
        assert!(changed(json!({"s": {"cache": true, "params": {"type": "redis", "ttl": 1}}})).0);
        assert!(!changed(json!({"s": {"cache": true, "params": {"type": "disk"}}})).0);
        assert!(!changed(json!({"s": {"cache": false}})).0);
    }

    #[test]
    fn variables_without_a_value_are_removed_and_named() {
        let mut config = json!({"a": "env/A", "b": {"c": ["env/B", "x"]}});
        let mut unset = Vec::new();
        strip_variables(&mut config, "env/", &["A".to_owned()], "", &mut unset);
        assert_eq!(config, json!({"a": "env/A", "b": {"c": ["x"]}}));
        assert_eq!(unset, [("b.c".to_owned(), "B".to_owned())]);
    }
}
