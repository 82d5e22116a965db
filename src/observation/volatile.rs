//! What varies by itself in the words of one proxy, as its definition says.

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Something that varies by itself in the words of one proxy.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volatile {
    /// What it looks like, in the syntax of the `regex` crate.
    #[serde(serialize_with = "text", deserialize_with = "regex")]
    #[schemars(with = "String")]
    pattern: Regex,
    /// What is put in its place, in which `$1` stands for a group.
    with: String,
}

impl Volatile {
    /// Whatever `pattern` finds becomes `with`, in which `$1` stands for a group.
    pub fn new(pattern: Regex, with: String) -> Self {
        Self { pattern, with }
    }

    /// `text` with the placeholder in each place where the pattern matches.
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
    fn it_is_written_as_text_and_read_back() {
        let volatile = Volatile::new(Regex::new(r"list=\[[^\]]*\]").unwrap(), "list=[]".to_owned());
        let written = serde_json::to_string(&volatile).unwrap();
        let read: Volatile = serde_json::from_str(&written).unwrap();
        assert_eq!(read, volatile);
        assert_eq!(read.replace("no: list=[a1, b2]"), "no: list=[]");
        assert!(serde_json::from_str::<Volatile>(r#"{"pattern": "(", "with": ""}"#).is_err());
    }
}
