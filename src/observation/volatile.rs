//! Parts of the messages of one proxy that vary from run to run, as its definition lists them.

use regex::Regex;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A part of the messages of one proxy that varies from run to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Volatile {
    /// A pattern for the part, in the syntax of the `regex` crate.
    #[serde(serialize_with = "text", deserialize_with = "regex")]
    #[cfg_attr(test, schemars(with = "String"))]
    pattern: Regex,
    /// The replacement, in which `$1` refers to a group.
    with: String,
}

impl Volatile {
    /// Replaces every match of `pattern` by `with`, in which `$1` refers to a group.
    pub fn new(pattern: Regex, with: String) -> Self {
        Self { pattern, with }
    }

    /// `text` with every match replaced.
    pub fn replace(&self, text: &str) -> String {
        self.pattern.replace_all(text, self.with.as_str()).into_owned()
    }
}

impl PartialEq for Volatile {
    fn eq(&self, other: &Self) -> bool {
        self.pattern.as_str() == other.pattern.as_str() && self.with == other.with
    }
}

fn text<S: Serializer>(pattern: &Regex, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(pattern.as_str())
}

fn regex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
    Regex::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_serialized_as_text_and_read_back() {
        let volatile = Volatile::new(Regex::new(r"list=\[[^\]]*\]").unwrap(), "list=[]".to_owned());
        let written = serde_json::to_string(&volatile).unwrap();
        let read: Volatile = serde_json::from_str(&written).unwrap();
        assert_eq!(read, volatile);
        assert_eq!(read.replace("no: list=[a1, b2]"), "no: list=[]");
        assert!(serde_json::from_str::<Volatile>(r#"{"pattern": "(", "with": ""}"#).is_err());
    }
}
