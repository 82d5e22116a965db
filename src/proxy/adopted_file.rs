//! A configuration that a user wrote for the proxy, with the positions of its parts.

use std::{fs, path::Path};

use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use super::error::{ProxyError, at, position, yaml_error};

/// A configuration that a user wrote for the proxy.
#[derive(Debug)]
pub(super) struct AdoptedFile {
    /// The path, as messages show it.
    pub(super) shown: String,
    text: String,
    /// The members of the configuration.
    pub(super) config: Map<String, Value>,
    /// The 1-based line of each member.
    lines: Vec<(String, usize)>,
}

impl AdoptedFile {
    /// Reads a YAML file that contains a mapping.
    ///
    /// # Errors
    /// [`ProxyError::Invalid`] with the place of the mistake.
    pub(super) fn read(path: &Path, shown: &str) -> Result<Self, ProxyError> {
        let text = fs::read_to_string(path).map_err(|error| {
            ProxyError::Invalid(format!(
                "cannot read {shown}: {error}\nhelp: name the configuration file of your proxy: `upfault adopt config.yaml`"
            ))
        })?;
        let members: indexmap::IndexMap<String, Spanned<Value>> =
            serde_saphyr::from_str(&text).map_err(|error| yaml_error(shown, &text, &error))?;
        let lines =
            members.iter().map(|(name, value)| (name.clone(), position(value.referenced).0)).collect();
        let config = members.into_iter().map(|(name, value)| (name, value.value)).collect();
        Ok(Self { shown: shown.to_owned(), text, config, lines })
    }

    /// The elements of the list that a member is, each with its 1-based line.
    ///
    /// # Errors
    /// [`ProxyError::Invalid`] with the place, if there is no such list or it is empty.
    pub(super) fn list(&self, name: &str) -> Result<Vec<(usize, &Value)>, ProxyError> {
        let line = self.lines.iter().find(|(member, _)| member == name).map_or(1, |(_, line)| *line);
        let problem = match self.config.get(name) {
            Some(Value::Array(elements)) if !elements.is_empty() => {
                let lines = self.element_lines(line, elements.len());
                return Ok(lines.into_iter().zip(elements).collect());
            }
            Some(Value::Array(_)) => format!("`{name}` is empty"),
            Some(_) => format!("`{name}` must be a list"),
            None => format!("there is no `{name}`, so there is no model to test"),
        };
        Err(self.mistake(
            line,
            &format!(
                "{problem}\nhelp: `upfault run --config-overlay {}` tests settings without models",
                self.shown
            ),
        ))
    }

    /// A mistake in a line.
    pub(super) fn mistake(&self, line: usize, message: &str) -> ProxyError {
        let (first, help) =
            message.split_once('\n').map_or((message, None), |(first, help)| (first, Some(help)));
        let column = self
            .text
            .lines()
            .nth(line.saturating_sub(1))
            .map_or(1, |text| text.len() - text.trim_start().len() + 1);
        let placed = at(&self.shown, &self.text, line, column, first);
        ProxyError::Invalid(help.map_or_else(|| placed.clone(), |help| format!("{placed}\n{help}")))
    }

    /// The lines of the elements of a list that begins in `first` or after it: those with a dash at the depth of its first
    /// dash. Falls back to the line of the list, if it is not written with dashes.
    fn element_lines(&self, first: usize, elements: usize) -> Vec<usize> {
        let depth =
            |line: &str| line.trim_start().starts_with('-').then(|| line.len() - line.trim_start().len());
        let mut dashes = self.text.lines().enumerate().skip(first.saturating_sub(1));
        let own = dashes.clone().find_map(|(_, line)| depth(line));
        let found: Vec<usize> = dashes
            .by_ref()
            .filter(|(_, line)| own.is_some() && depth(line) == own)
            .map(|(index, _)| index + 1)
            .take(elements)
            .collect();
        if found.len() == elements { found } else { vec![first; elements] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AdoptedFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        fs::write(&path, text).unwrap();
        AdoptedFile::read(&path, "config.yaml").map_err(|error| error.to_string())
    }

    #[test]
    fn each_model_has_its_line() {
        let file = read("# mine\na: [1]\nmodel_list:\n  - name: a\n    x: [y]\n\n  - name: b\n    tags:\n      - t\nb: {}\n").unwrap();
        let lines: Vec<usize> = file.list("model_list").unwrap().into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [4, 7]);
        let flow = read("model_list: [{name: a}, {name: b}]\n").unwrap();
        let lines: Vec<usize> = flow.list("model_list").unwrap().into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 1]);
    }

    #[test]
    fn mistakes_have_a_place_and_a_next_step() {
        insta::assert_snapshot!(read("model_list:\n  - a: [\nb: 1\n").unwrap_err(), @"
        config.yaml:2:8: unclosed bracket '['
          |
        2 |   - a: [
          |        ^
        ");
        let without = |text: &str| read(text).unwrap().list("model_list").unwrap_err().to_string();
        insta::assert_snapshot!(without("litellm_settings: {}\n"), @"
        config.yaml:1:1: there is no `model_list`, so there is no model to test
          |
        1 | litellm_settings: {}
          | ^
        help: `upfault run --config-overlay config.yaml` tests settings without models
        ");
        insta::assert_snapshot!(without("a: 1\nmodel_list: {name: a}\n"), @"
        config.yaml:2:1: `model_list` must be a list
          |
        2 | model_list: {name: a}
          | ^
        help: `upfault run --config-overlay config.yaml` tests settings without models
        ");
        insta::assert_snapshot!(without("a: 1\nmodel_list: []\n"), @"
        config.yaml:2:1: `model_list` is empty
          |
        2 | model_list: []
          | ^
        help: `upfault run --config-overlay config.yaml` tests settings without models
        ");
        let missing =
            AdoptedFile::read(Path::new("/nonexistent/config.yaml"), "config.yaml").unwrap_err().to_string();
        assert!(
            missing.starts_with("cannot read config.yaml: ") && missing.contains("\nhelp: "),
            "{missing}"
        );
    }
}
