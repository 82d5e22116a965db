//! What a header must be.

use std::fmt;

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor},
    ser::SerializeMap,
};

/// What a header must be: `"7"`, `null`, `{present: true}`, `{contains: Bearer}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderExpect {
    /// It has this value.
    Equals(String),
    /// It is absent.
    Absent,
    /// It is present, with any value.
    Present,
    /// Its value contains this text.
    Contains(String),
}

impl HeaderExpect {
    /// Whether a header with this value is as expected.
    pub fn matches(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Self::Equals(wanted), Some(value)) => wanted == value,
            (Self::Contains(wanted), Some(value)) => value.contains(wanted.as_str()),
            (Self::Present, value) => value.is_some(),
            (Self::Absent, value) => value.is_none(),
            (Self::Equals(_) | Self::Contains(_), None) => false,
        }
    }

    /// The expectation in words, for a header with this name.
    pub fn describe(&self, name: &str) -> String {
        match self {
            Self::Equals(value) => format!("{name}: {value}"),
            Self::Absent => format!("no {name}"),
            Self::Present => format!("a header {name}"),
            Self::Contains(text) => format!("a header {name} that contains {text:?}"),
        }
    }
}

impl Serialize for HeaderExpect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = match self {
            Self::Equals(value) => return serializer.serialize_str(value),
            Self::Absent => return serializer.serialize_none(),
            Self::Present | Self::Contains(_) => serializer.serialize_map(Some(1))?,
        };
        match self {
            Self::Contains(text) => map.serialize_entry("contains", text)?,
            _ => map.serialize_entry("present", &true)?,
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for HeaderExpect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeaderVisitor;

        impl<'de> Visitor<'de> for HeaderVisitor {
            type Value = HeaderExpect;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, `null` for an absent header, `{present: true}` or `{contains: text}`")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<HeaderExpect, E> {
                Ok(HeaderExpect::Equals(value.to_owned()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<HeaderExpect, E> {
                Ok(HeaderExpect::Equals(value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<HeaderExpect, E> {
                Ok(HeaderExpect::Equals(value.to_string()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<HeaderExpect, E> {
                Ok(HeaderExpect::Equals(value.to_string()))
            }

            fn visit_unit<E: Error>(self) -> Result<HeaderExpect, E> {
                Ok(HeaderExpect::Absent)
            }

            fn visit_none<E: Error>(self) -> Result<HeaderExpect, E> {
                Ok(HeaderExpect::Absent)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderExpect, A::Error> {
                let expected = match map.next_key::<String>()?.as_deref() {
                    Some("contains") => HeaderExpect::Contains(map.next_value()?),
                    Some("present") => match map.next_value()? {
                        true => HeaderExpect::Present,
                        false => HeaderExpect::Absent,
                    },
                    other => {
                        return Err(A::Error::unknown_field(
                            other.unwrap_or_default(),
                            &["contains", "present"],
                        ));
                    }
                };
                match map.next_key::<String>()? {
                    Some(second) => Err(A::Error::custom(format!(
                        "a header has one expectation, and `{second}` is a second one"
                    ))),
                    None => Ok(expected),
                }
            }
        }

        deserializer.deserialize_any(HeaderVisitor)
    }
}

#[cfg(test)]
impl JsonSchema for HeaderExpect {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HeaderExpect".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = |name: &str, kind: &str| {
            serde_json::json!({
                "type": "object", "properties": {name: {"type": kind}}, "required": [name], "additionalProperties": false,
            })
        };
        json_schema!({
            "description": "A value, `null` for an absent header, `{present: true}` or `{contains: text}`.",
            "oneOf": [
                {"type": ["string", "integer", "boolean", "null"]},
                one("contains", "string"),
                one("present", "boolean"),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_written_and_matched() {
        use HeaderExpect::{Absent, Contains, Equals, Present};
        for (text, wanted, holds, breaks) in [
            ("\"7\"", Equals("7".into()), Some("7"), Some("70")),
            ("7", Equals("7".into()), Some("7"), None),
            ("null", Absent, None, Some("")),
            ("{present: true}", Present, Some(""), None),
            ("{present: false}", Absent, None, Some("x")),
            ("{contains: Bear}", Contains("Bear".into()), Some("a Bearer"), Some("bearer")),
        ] {
            let read: HeaderExpect = serde_saphyr::from_str(text).unwrap();
            assert_eq!(read, wanted, "{text}");
            assert!(read.matches(holds) && !read.matches(breaks), "{text}");
            let written = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<HeaderExpect>(&written).unwrap(), wanted, "{written}");
        }
        for wrong in ["{contain: x}", "{}", "[]", "{contains: x, present: true}"] {
            assert!(serde_saphyr::from_str::<HeaderExpect>(wrong).is_err(), "{wrong}");
        }
    }
}
