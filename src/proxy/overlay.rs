//! Settings that are merged over the configuration file of a proxy.

use std::{
    fs,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::error::ProxyError;
use crate::platform::link_or_copy;

/// The key in an overlay that means every element of a list.
const EACH: &str = "*";

/// Settings that are merged over the configuration file of a proxy.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SettingsOverlay {
    pub(super) value: Value,
    /// Whether its texts are templates.
    pub(super) is_template: bool,
    /// The folder of the user's own configuration, whose files it may name.
    folder_of_own: Option<PathBuf>,
}

impl SettingsOverlay {
    /// Settings of a definition, whose texts are templates.
    pub(super) fn template(value: Map<String, Value>) -> Self {
        Self { value: Value::Object(value), is_template: true, folder_of_own: None }
    }

    /// Settings as a user wrote them.
    pub(super) fn literal(value: Map<String, Value>) -> Self {
        Self { value: Value::Object(value), is_template: false, folder_of_own: None }
    }

    /// Settings with one member: `a.b.c` is the member `c` of `b` of `a`. The text is a YAML value.
    pub(super) fn one(path: &str, text: &str) -> Self {
        let value = serde_saphyr::from_str(text).unwrap_or_else(|_| Value::from(text));
        let member = |value: Value, name: &str| Value::Object(Map::from_iter([(name.to_owned(), value)]));
        let value = path.rsplit('.').fold(value, member);
        Self { value, is_template: false, folder_of_own: None }
    }

    /// A whole configuration of the proxy that a user wrote. What the definition keeps for itself is removed. Returns the
    /// overlay and a note for each removed part.
    pub(super) fn own_configuration(
        value: Map<String, Value>,
        file: &Path,
        kept: &IndexMap<String, String>,
    ) -> (Self, Vec<String>) {
        let mut overlay = Self::of_own_file(value, file);
        let removed = kept.iter().filter(|(path, _)| remove(&mut overlay.value, path));
        let notes =
            removed.map(|(path, reason)| format!("{}: `{path}` is not used: {reason}", file.display()));
        let notes = notes.collect();
        (overlay, notes)
    }

    /// Settings of a configuration that a user wrote, which can name files next to it.
    pub(super) fn of_own_file(value: Map<String, Value>, file: &Path) -> Self {
        let folder_of_own = std::path::absolute(file).ok().and_then(|file| Some(file.parent()?.to_owned()));
        Self { value: Value::Object(value), is_template: false, folder_of_own }
    }

    /// Links the files that a user's own configuration names into the folder of the rendered configuration: those next to
    /// it whose name, without its extension, is the first part of a text (`my_callbacks.handler`, `./prompts/a.yaml`).
    pub(super) fn link_files(&self, work_dir: &Path) -> Result<(), ProxyError> {
        let Some(folder) = &self.folder_of_own else { return Ok(()) };
        let mut names = Vec::new();
        first_parts(&self.value, &mut names);
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_named =
                path.file_stem().is_some_and(|stem| names.iter().any(|name| stem == name.as_str()));
            let link = work_dir.join(entry.file_name());
            if !is_named || link.symlink_metadata().is_ok() {
                continue;
            }
            link_or_copy(&path, &link).map_err(ProxyError::io("create", link))?;
        }
        Ok(())
    }
}

/// Collects the first part of every text that can be a path or the name of a module.
fn first_parts(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let text = text.strip_prefix("./").unwrap_or(text);
            let first = text.split(['.', '/']).next().unwrap_or_default();
            if !first.is_empty() && first != text {
                names.push(first.to_owned());
            }
        }
        Value::Array(items) => items.iter().for_each(|item| first_parts(item, names)),
        Value::Object(members) => members.values().for_each(|member| first_parts(member, names)),
        _ => {}
    }
}

/// Removes the member at a path (`a.b`). Returns whether it existed.
fn remove(value: &mut Value, path: &str) -> bool {
    let Value::Object(members) = value else { return false };
    match path.split_once('.') {
        None => members.shift_remove(path).is_some(),
        Some((first, rest)) => members.get_mut(first).is_some_and(|member| remove(member, rest)),
    }
}

/// Reads a YAML file that contains a mapping.
pub(super) fn read_mapping(word: &str, path: &Path) -> Result<Map<String, Value>, String> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read the settings `{word}`: {error}"))?;
    match serde_saphyr::from_str(&text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(format!("{} does not contain a YAML mapping", path.display())),
        Err(error) => Err(format!("{} is not valid YAML: {error}", path.display())),
    }
}

/// Merges mappings member by member. A mapping whose only key is `*` is merged into every element of a list. Anything
/// else replaces what was there.
pub(super) fn merge(below: &mut Value, over: &Value) {
    match (below, over) {
        (Value::Array(elements), Value::Object(members)) if is_each(members) => {
            for element in elements {
                merge(element, members.get(EACH).unwrap_or(&Value::Null));
            }
        }
        (Value::Object(below), Value::Object(over)) => {
            for (name, value) in over {
                merge(below.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (below, over) => *below = over.clone(),
    }
}

fn is_each(members: &Map<String, Value>) -> bool {
    members.len() == 1 && members.contains_key(EACH)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("{value}") };
        members
    }

    #[test]
    fn a_path_sets_one_member_to_a_yaml_value() {
        assert_eq!(SettingsOverlay::one("a.b", "true").value, json!({"a": {"b": true}}));
        assert_eq!(SettingsOverlay::one("a.b", "[1, x]").value, json!({"a": {"b": [1, "x"]}}));
        assert_eq!(SettingsOverlay::one("a.b.c", "x: [").value, json!({"a": {"b": {"c": "x: ["}}}));
    }

    #[test]
    fn what_the_definition_keeps_is_removed_from_a_users_configuration_and_named() {
        let kept = IndexMap::from([
            ("model_list".to_owned(), "each case has its own deployments".to_owned()),
            ("a.key".to_owned(), "each run has its own".to_owned()),
            ("a.missing.deep".to_owned(), "never seen".to_owned()),
        ]);
        let config = members(json!({"model_list": [1], "a": {"key": "sk", "x": 1}, "b": {"y": 2}}));
        let (overlay, notes) = SettingsOverlay::own_configuration(config, Path::new("my.yaml"), &kept);
        assert_eq!(overlay.value, json!({"a": {"x": 1}, "b": {"y": 2}}));
        assert_eq!(
            notes,
            [
                "my.yaml: `model_list` is not used: each case has its own deployments",
                "my.yaml: `a.key` is not used: each run has its own",
            ]
        );
    }

    #[test]
    fn files_that_a_users_configuration_names_are_next_to_the_rendered_one_too() {
        let (own, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for name in ["my_callbacks.py", "prompts", "secret.txt", "config.yaml"] {
            fs::write(own.path().join(name), name).unwrap();
        }
        fs::write(work.path().join("config.yaml"), "rendered").unwrap();
        let config =
            json!({"a": ["my_callbacks.handler", "secret"], "b": {"c": "./prompts/x", "d": "config.yaml"}});
        let file = own.path().join("config.yaml");
        let (overlay, _) = SettingsOverlay::own_configuration(members(config), &file, &IndexMap::new());
        for _ in 0..2 {
            overlay.link_files(work.path()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(work.path().join(name)).ok();
        assert_eq!(read("my_callbacks.py").unwrap(), "my_callbacks.py");
        assert_eq!(read("prompts").unwrap(), "prompts");
        assert_eq!(read("config.yaml").unwrap(), "rendered", "a rendered file stays");
        assert_eq!(read("secret.txt"), None, "a text without a second part is not the name of a module");
    }
}
