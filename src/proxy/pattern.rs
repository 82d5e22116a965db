//! Regular expressions in proxy.yaml.

use regex::Regex;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error};

/// A regular expression, in the syntax of the `regex` crate.
#[derive(Debug, Clone)]
#[cfg_attr(test, derive(JsonSchema))]
pub(super) struct Pattern(#[cfg_attr(test, schemars(with = "String"))] pub(super) Regex);

impl Pattern {
    /// Whether it finds the port that a proxy has chosen itself.
    pub(super) fn names_port(&self) -> bool {
        self.0.capture_names().flatten().any(|name| name == "port")
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Regex::new(&text)
            .map(Self)
            .map_err(|error| D::Error::custom(format!("`{text}` is not a pattern: {error}")))
    }
}
