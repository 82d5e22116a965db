//! The body of a request, parsed only as far as a response needs it.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// A JSON value that is parsed at its first access. A mock's response rarely depends on more than the model and
/// the stream flag, and a prompt can be long.
///
/// It records whether it was accessed: a response that was created without access is the same for any body.
#[derive(Clone, Default)]
pub struct LazyJson(Arc<Inner>);

#[derive(Default)]
struct Inner {
    text: Box<[u8]>,
    value: OnceLock<Value>,
}

/// The members that are always parsed from a JSON object.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct JsonOutline {
    /// `model`, if it is a text.
    pub model: Option<String>,
    /// `stream`, if it is a boolean.
    pub stream: Option<bool>,
    /// Whether `stream_options.include_usage` is true.
    pub with_usage: bool,
}

impl LazyJson {
    /// Creates a body and its outline; returns `None` if the text is not a JSON object.
    pub(super) fn read(text: &[u8]) -> Option<(Self, JsonOutline)> {
        // UTF-8 is checked for the whole text at once, which is faster than for each string.
        let outline = serde_json::from_str(std::str::from_utf8(text).ok()?).ok()?;
        Some((Self(Arc::new(Inner { text: text.into(), value: OnceLock::new() })), outline))
    }

    /// Whether the value or a clone of it was accessed.
    pub(super) fn was_accessed(&self) -> bool {
        self.0.value.get().is_some()
    }

    /// A copy of the body that was not accessed; `None` for a body that was not created from text.
    pub(super) fn not_accessed(&self) -> Option<Self> {
        let text = (!self.0.text.is_empty()).then(|| self.0.text.clone())?;
        Some(Self(Arc::new(Inner { text, value: OnceLock::new() })))
    }
}

impl Deref for LazyJson {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.0.value.get_or_init(|| serde_json::from_slice(&self.0.text).unwrap_or_default())
    }
}

impl From<Value> for LazyJson {
    fn from(value: Value) -> Self {
        Self(Arc::new(Inner { text: Box::default(), value: value.into() }))
    }
}

impl PartialEq for LazyJson {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for LazyJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<'de> Deserialize<'de> for JsonOutline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Outlining)
    }
}

struct Outlining;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Model,
    Stream,
    StreamOptions,
    #[serde(other)]
    Other,
}

impl<'de> Visitor<'de> for Outlining {
    type Value = JsonOutline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    /// If a name occurs more than once, the last member counts, as in a [`Value`].
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsonOutline, A::Error> {
        let mut outline = JsonOutline::default();
        while let Some(member) = members.next_key()? {
            match member {
                Member::Model => {
                    let value = members.next_value::<Value>()?;
                    outline.model = if let Value::String(model) = value { Some(model) } else { None };
                }
                Member::Stream => outline.stream = members.next_value::<Value>()?.as_bool(),
                Member::StreamOptions => {
                    outline.with_usage = members.next_value::<Value>()?["include_usage"] == true;
                }
                Member::Other => {
                    members.next_value::<Checked>()?;
                }
            }
        }
        Ok(outline)
    }
}

/// Any JSON value, parsed as strictly as a [`Value`] and discarded: serde's `IgnoredAny` accepts numbers,
/// escapes and nesting depths that a value refuses.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_key::<Name>()?.is_some() {
            members.next_value::<Self>()?;
        }
        Ok(self)
    }
}

/// A member's name, parsed as strictly as a string and discarded.
struct Name;

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Checked).map(|_| Self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn outline(text: &str) -> JsonOutline {
        LazyJson::read(text.as_bytes()).unwrap().1
    }

    #[test]
    fn the_outline_agrees_with_the_parsed_value() {
        let expected = |model: Option<&str>, stream, with_usage| JsonOutline {
            model: model.map(str::to_owned),
            stream,
            with_usage,
        };
        for (text, expected_outline) in [
            ("{}", expected(None, None, false)),
            (r#"{"model":"m","stream":true}"#, expected(Some("m"), Some(true), false)),
            (r#" {"a":[{"model":"x"}],"model":"m\u00fc"} "#, expected(Some("mü"), None, false)),
            (r#"{"model":"m","model":7,"stream":"true"}"#, expected(None, None, false)),
            (r#"{"stream_options":{"include_usage":true}}"#, expected(None, None, true)),
            (r#"{"stream_options":{"include_usage":1}}"#, expected(None, None, false)),
            (r#"{"stream_options":[true]}"#, expected(None, None, false)),
        ] {
            assert_eq!(outline(text), expected_outline, "{text}");
        }
    }

    #[test]
    fn a_body_knows_whether_it_was_accessed() {
        let (body, _) = LazyJson::read(br#"{"input":"x"}"#).unwrap();
        let clone = body.clone();
        assert!(!body.was_accessed());
        assert_eq!(clone["input"], "x");
        assert!(body.was_accessed(), "a clone is the same body");
        let unread = body.not_accessed().unwrap();
        assert!(!unread.was_accessed());
        assert_eq!(unread, body);
        assert!(LazyJson::from(json!({})).not_accessed().is_none());
    }

    /// Texts that resemble JSON objects.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            prop::sample::select(vec![
                "{",
                "}",
                "[",
                "]",
                ":",
                ",",
                "\"",
                "\"a\"",
                "\"model\"",
                "\"\\ud800\"",
                "\"\\u00e9\"",
                "\"\\x\"",
                "1",
                "-0",
                "1e999",
                "0.5",
                "01",
                "null",
                "true",
                " ",
                "\u{1}",
            ])
            .prop_map(|part| part.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..2),
        ];
        prop::collection::vec(part, 0..8).prop_map(|parts| {
            let inner = parts.concat();
            [b"{\"k\":" as &[u8], &inner, b"}"].concat()
        })
    }

    proptest! {
        #[test]
        fn a_body_parses_exactly_if_a_value_is_an_object(text in prop_oneof![text(), any::<Vec<u8>>()]) {
            let value = serde_json::from_slice::<Value>(&text).ok().filter(Value::is_object);
            let body = LazyJson::read(&text).map(|(body, _)| Value::clone(&body));
            prop_assert_eq!(body, value);
        }
    }

    #[test]
    fn a_body_that_is_nested_too_deep_is_refused() {
        for depth in [100, 127, 128, 500] {
            let text = format!("{{\"k\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            let value = serde_json::from_str::<Value>(&text);
            assert_eq!(LazyJson::read(text.as_bytes()).is_some(), value.is_ok(), "{depth}");
        }
    }
}
