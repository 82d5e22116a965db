//! What a body must contain, and what it must not.

use std::fmt;

use indexmap::IndexMap;
#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::Value;

/// What a body must contain, and what it must not.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct BodyExpect {
    /// Texts that occur, one or a list. Placeholders such as `{{canary.message}}` are filled in with the tokens of any
    /// attempt. Default: none.
    #[serde(skip_serializing_if = "TextList::is_empty")]
    pub contains: TextList,
    /// Texts that do not occur, one or a list, with the same placeholders. Default: none.
    #[serde(skip_serializing_if = "TextList::is_empty")]
    pub not_contains: TextList,
    /// Values of a JSON body by JSON pointers (`/error/type: rate_limit_error`, RFC 6901); `null` means that there is no
    /// value or that it is null. In a stream, one of its events must have the value. Default: none.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub json: IndexMap<String, Value>,
}

/// One text, or a list of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextList(pub Vec<String>);

impl TextList {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for TextList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for TextList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor;

        impl<'de> Visitor<'de> for ListVisitor {
            type Value = TextList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a list of texts (`[one, another]`)")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TextList, E> {
                Ok(TextList(vec![text.to_owned()]))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<TextList, E> {
                Ok(TextList(vec![number.to_string()]))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<TextList, E> {
                Ok(TextList(vec![number.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<TextList, A::Error> {
                let mut texts = Vec::new();
                while let Some(TextList(more)) = seq.next_element()? {
                    texts.extend(more);
                }
                Ok(TextList(texts))
            }
        }

        deserializer.deserialize_any(ListVisitor)
    }
}

#[cfg(test)]
impl JsonSchema for TextList {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TextList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, or a list of texts.",
            "oneOf": [{"type": ["string", "integer"]}, {"type": "array", "items": {"type": ["string", "integer"]}}],
        })
    }
}
