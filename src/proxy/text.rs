//! The templates in proxy.yaml, each with its position.

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_saphyr::{Location, Spanned};

use super::error::position;

/// A template in proxy.yaml, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) source: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::<String>::deserialize(deserializer).map(Self::from)
    }
}

impl From<Spanned<String>> for Text {
    fn from(spanned: Spanned<String>) -> Self {
        Self::at(spanned.value, spanned.referenced)
    }
}

impl Text {
    /// A template inside a free value, whose position is not known.
    pub(super) fn somewhere(source: &str) -> Self {
        Self { source: source.to_owned(), line: 0, column: 0 }
    }

    fn at(source: String, place: Location) -> Self {
        let (line, column) = position(place);
        Self { source, line, column }
    }
}

/// An entry of a launch command.
#[derive(Debug, Clone)]
pub(super) enum LaunchWord {
    Word(Text),
    /// Words that are repeated for each route: `{each_route: [--worker-url, "{{ route.base_url }}"]}`.
    EachRoute(Vec<Text>),
}

impl LaunchWord {
    /// Its templates, and whether they are rendered for each route.
    pub(super) fn texts(&self) -> (&[Text], bool) {
        match self {
            Self::Word(text) => (std::slice::from_ref(text), false),
            Self::EachRoute(texts) => (texts, true),
        }
    }
}

impl<'de> Deserialize<'de> for LaunchWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Spanned::<WrittenWord>::deserialize(deserializer)?;
        let place = word.referenced;
        Ok(match word.value {
            WrittenWord::Word(text) => Self::Word(Text::at(text, place)),
            WrittenWord::EachRoute(texts) => Self::EachRoute(texts),
        })
    }
}

enum WrittenWord {
    Word(String),
    EachRoute(Vec<Text>),
}

impl<'de> Deserialize<'de> for WrittenWord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl<'de> Visitor<'de> for Word {
            type Value = WrittenWord;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a word, or `{each_route: [words]}`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<WrittenWord, E> {
                Ok(WrittenWord::Word(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenWord, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct EachRouteWords {
                    each_route: Vec<Text>,
                }
                let words = EachRouteWords::deserialize(MapAccessDeserializer::new(map))?;
                Ok(WrittenWord::EachRoute(words.each_route))
            }
        }
        deserializer.deserialize_any(Word)
    }
}

#[cfg(test)]
impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
impl JsonSchema for LaunchWord {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LaunchWord".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words = json_schema!({"type": "array", "items": {"type": "string"}});
        json_schema!({
            "description": "A word, or words that are repeated for each route.",
            "anyOf": [
                {"type": "string"},
                {
                    "type": "object",
                    "properties": {"each_route": words},
                    "required": ["each_route"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}
