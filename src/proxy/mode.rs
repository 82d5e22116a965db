//! The mode of a proxy: environment variables and settings that differ from its definition.

use std::{fs, path::Path};

use serde_json::{Map, Value};

use super::error::ProxyError;

/// The key in an overlay that means every element of a list.
const EACH: &str = "*";

/// The mode of a proxy, written after its name: `litellm@1.108.7,LITELLM_RUST=1,overlay.yaml`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ProxyMode {
    /// As the user wrote it: `LITELLM_RUST=1, overlay.yaml`.
    words: Vec<String>,
    /// Environment variables for the proxy's process.
    pub(super) variables: Vec<(String, String)>,
    /// Settings that are merged over the proxy's configuration file, in this order.
    overlays: Vec<Value>,
}

impl ProxyMode {
    /// Splits `NAME@VERSION,WORD,WORD` into the proxy and the words of its mode. A comma after a backslash is part of a
    /// word.
    pub(crate) fn split(spec: &str) -> (String, Vec<String>) {
        let mut words = vec![String::new()];
        let mut characters = spec.chars().peekable();
        while let Some(character) = characters.next() {
            match character {
                '\\' if characters.peek() == Some(&',') => {
                    characters.next();
                    words.last_mut().into_iter().for_each(|word| word.push(','));
                }
                ',' => words.push(String::new()),
                other => words.last_mut().into_iter().for_each(|word| word.push(other)),
            }
        }
        let proxy = words.remove(0);
        (proxy, words)
    }

    /// Reads the words of a mode: `NAME=VALUE` is an environment variable, any other word is the path of a YAML file,
    /// relative to `base`.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Invalid`] if a word is empty, or a file cannot be read or is not a YAML mapping.
    pub(crate) fn read(words: &[String], base: &Path) -> Result<Self, ProxyError> {
        let mut mode = Self { words: words.to_vec(), ..Self::default() };
        for word in words {
            match word.split_once('=') {
                Some((name, value)) if is_variable(name) => {
                    mode.variables.push((name.to_owned(), value.to_owned()));
                }
                _ => mode.overlays.push(overlay(word, base)?),
            }
        }
        Ok(mode)
    }

    /// The mode as text, for reports: `LITELLM_RUST=1, overlay.yaml`; `None` for the definition's own mode.
    pub(crate) fn describe(&self) -> Option<String> {
        (!self.words.is_empty()).then(|| self.words.join(", "))
    }

    /// Whether it changes settings in the configuration file.
    pub(super) fn changes_settings(&self) -> bool {
        !self.overlays.is_empty()
    }

    /// Merges the overlays over the text of a configuration file. JSON is YAML too, so the result is JSON.
    pub(super) fn merged(&self, shown: &str, text: String) -> Result<String, ProxyError> {
        if self.overlays.is_empty() {
            return Ok(text);
        }
        let mut config: Value = serde_saphyr::from_str(&text).map_err(|error| {
            ProxyError::Invalid(format!("cannot merge settings over {shown}, which is not YAML: {error}"))
        })?;
        self.overlays.iter().for_each(|overlay| merge(&mut config, overlay));
        Ok(format!("{config:#}\n"))
    }
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn overlay(word: &str, base: &Path) -> Result<Value, ProxyError> {
    let path = base.join(word);
    let invalid = |what: String| {
        ProxyError::Invalid(format!(
            "{what}\nhelp: after a comma, write an environment variable (NAME=VALUE) or a YAML file with settings \
             (`litellm@1.108.7,overlay.yaml`); write `\\,` for a comma in a value"
        ))
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Err(invalid(format!("cannot read the settings `{word}`: {error}"))),
    };
    match serde_saphyr::from_str(&text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(invalid(format!("{} does not contain a YAML mapping", path.display()))),
        Err(error) => Err(invalid(format!("{} is not valid YAML: {error}", path.display()))),
    }
}

/// Merges mappings member by member. A mapping whose only key is `*` is merged into every element of a list. Anything
/// else replaces what was there.
fn merge(below: &mut Value, over: &Value) {
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
    use crate::proxy::Definition;

    fn words(spec: &str) -> Vec<String> {
        ProxyMode::split(spec).1
    }

    #[test]
    fn a_mode_follows_the_proxy_after_commas() {
        assert_eq!(ProxyMode::split("litellm@1.2"), ("litellm@1.2".to_owned(), vec![]));
        assert_eq!(
            ProxyMode::split(r"litellm@1.2,A=1\,2,b.yaml"),
            ("litellm@1.2".to_owned(), vec!["A=1,2".to_owned(), "b.yaml".to_owned()])
        );
        assert_eq!(words("litellm,"), [""]);
    }

    #[test]
    fn variables_are_not_mistaken_for_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a=b.yaml"), "x: 1").unwrap();
        let mode = ProxyMode::read(&words("l,LITELLM_RUST=1,./a=b.yaml"), folder.path()).unwrap();
        assert_eq!(mode.variables, [("LITELLM_RUST".to_owned(), "1".to_owned())]);
        assert_eq!(mode.overlays, [json!({"x": 1})]);
        assert_eq!(mode.describe().unwrap(), "LITELLM_RUST=1, ./a=b.yaml");
        assert_eq!(ProxyMode::default().describe(), None);
    }

    #[test]
    fn an_invalid_word_is_an_error_with_a_next_step() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("list.yaml"), "[1]").unwrap();
        fs::write(folder.path().join("bad.yaml"), "a: [").unwrap();
        for (spec, part) in [
            ("l,", "cannot read the settings ``"),
            ("l,no.yaml", "cannot read the settings `no.yaml`"),
            ("l,1A=2", "cannot read the settings `1A=2`"),
            ("l,list.yaml", "does not contain a YAML mapping"),
            ("l,bad.yaml", "is not valid YAML"),
        ] {
            let error = ProxyMode::read(&words(spec), folder.path()).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("help: "), "{error}");
        }
    }

    #[test]
    fn an_overlay_changes_members_and_every_element_of_a_list() {
        let mode = ProxyMode {
            overlays: vec![
                json!({"model_list": {"*": {"litellm_params": {"rust": true}}}, "a": {"b": 1}}),
                json!({"a": {"c": [2]}}),
            ],
            ..ProxyMode::default()
        };
        let text = "model_list:\n  - litellm_params: {model: x}\n  - litellm_params: {rust: false}\na: {b: 0, c: [1]}\n";
        let merged: Value = serde_json::from_str(&mode.merged("f", text.to_owned()).unwrap()).unwrap();
        assert_eq!(
            merged,
            json!({
                "model_list": [
                    {"litellm_params": {"model": "x", "rust": true}},
                    {"litellm_params": {"rust": true}},
                ],
                "a": {"b": 1, "c": [2]},
            })
        );
        assert_eq!(ProxyMode::default().merged("f", "# kept".to_owned()).unwrap(), "# kept");
    }

    #[test]
    fn litellm_is_rendered_with_its_overlay_and_its_variables() {
        let definition = Definition::find("litellm", Path::new("/nonexistent")).unwrap();
        let mode = ProxyMode {
            overlays: vec![json!({"litellm_settings": {"drop_params": true}})],
            ..ProxyMode::default()
        };
        let rendered = definition
            .in_mode(mode)
            .unwrap()
            .render(&[], &super::super::render::RenderContext::sample())
            .unwrap();
        let config: Value = serde_json::from_str(&rendered[0].1).unwrap();
        assert_eq!(config["litellm_settings"]["drop_params"], true);
        assert_eq!(config["model_list"], json!([]));
    }
}
