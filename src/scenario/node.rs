//! The tree of a YAML file, in which every value has its byte range, and from which single entries can be removed.

use std::{fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

/// A value of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// The byte range of its text; of a block, only its first character.
    pub(crate) range: Range<usize>,
    pub(super) value: NodeValue,
    /// The keys that were removed from it because of an error, and those that were added; for a list, `-` per entry. An
    /// error about one of them is only a consequence.
    pub(super) repaired: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum NodeValue {
    /// Nothing, with its text: `null` is the name of a fault.
    Null(String),
    /// `true`, a number: with its text in the file, because a text is expected in some places.
    Bool(bool, String),
    Unsigned(u64, String),
    Signed(i64, String),
    Float(f64, String),
    Text(String),
    List(Vec<Node>),
    /// The entries, each with its key, which is a text.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Replaces the text of numbers and truth values by the one in `source`, the text of the file: `1.0` is not `1`.
    pub(super) fn set_texts(&mut self, source: &str) {
        let written = source.get(self.range.clone()).map(str::trim).filter(|text| !text.is_empty());
        match &mut self.value {
            NodeValue::Null(text)
            | NodeValue::Bool(_, text)
            | NodeValue::Unsigned(_, text)
            | NodeValue::Signed(_, text)
            | NodeValue::Float(_, text) => {
                // The range of an alias is that of its name.
                if let Some(written) = written.filter(|written| !written.starts_with('*')) {
                    *text = written.to_owned();
                }
            }
            NodeValue::List(items) => items.iter_mut().for_each(|item| item.set_texts(source)),
            NodeValue::Map(entries) => entries.iter_mut().for_each(|(_, value)| value.set_texts(source)),
            NodeValue::Text(_) => {}
        }
    }

    /// The node at a path, which has the number of an entry for each level.
    pub(super) fn at(&self, path: &[usize]) -> &Self {
        let Some((first, rest)) = path.split_first() else { return self };
        match &self.value {
            NodeValue::List(items) => items.get(*first).map_or(self, |item| item.at(rest)),
            NodeValue::Map(entries) => entries.get(*first).map_or(self, |(_, value)| value.at(rest)),
            _ => self,
        }
    }

    /// The keys on the way to a path, from the root; an entry of a list has none.
    pub(super) fn keys(&self, path: &[usize]) -> Vec<&str> {
        let mut keys = Vec::new();
        let mut node = self;
        for n in path {
            node = match &node.value {
                NodeValue::List(items) => match items.get(*n) {
                    Some(item) => item,
                    None => break,
                },
                NodeValue::Map(entries) => match entries.get(*n) {
                    Some((key, value)) => {
                        keys.extend(key.text());
                        value
                    }
                    None => break,
                },
                _ => break,
            };
        }
        keys
    }

    /// The node itself, if it is a text.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map, each with its key; `None` if it is not a map.
    pub(crate) fn entries(&self) -> Option<&[(Self, Self)]> {
        match &self.value {
            NodeValue::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entries of a map, to be changed; `None` if it is not a map.
    pub(crate) fn entries_mut(&mut self) -> Option<&mut Vec<(Self, Self)>> {
        match &mut self.value {
            NodeValue::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The items of a list; empty if it is not a list.
    pub(crate) fn items(&self) -> &[Self] {
        match &self.value {
            NodeValue::List(items) => items,
            _ => &[],
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|(own, _)| own.text() == Some(key)).map(|(_, value)| value)
    }

    /// Removes the entry of a key and returns its value.
    pub(crate) fn take(&mut self, key: &str) -> Option<Self> {
        let entries = self.entries_mut()?;
        let at = entries.iter().position(|(own, _)| own.text() == Some(key))?;
        Some(entries.remove(at).1)
    }

    /// Adds an entry if the map has none with this key.
    pub(crate) fn complete(&mut self, key: &str, value: Self) {
        if self.get(key).is_none()
            && let Some(entries) = self.entries_mut()
        {
            entries.push((key.into(), value));
        }
    }

    /// Adds those entries of another map whose keys the map does not have.
    pub(crate) fn complete_with(&mut self, other: Self) {
        let NodeValue::Map(entries) = other.value else { return };
        for (key, value) in entries {
            self.complete(key.text().unwrap_or_default(), value);
        }
    }

    /// A value without a place.
    fn of(value: NodeValue) -> Self {
        Self { range: 0..0, value, repaired: Vec::new() }
    }

    /// Removes the entry at a path. Returns whether there was one.
    pub(super) fn remove(&mut self, path: &[usize]) -> bool {
        match path {
            [] => false,
            [n] => match &mut self.value {
                NodeValue::List(items) if *n < items.len() => {
                    items.remove(*n);
                    self.repaired.push("-".to_owned());
                    true
                }
                NodeValue::Map(entries) if *n < entries.len() => {
                    let (key, _) = entries.remove(*n);
                    self.repaired.extend(key.text().map(str::to_owned));
                    true
                }
                _ => false,
            },
            [n, rest @ ..] => match &mut self.value {
                NodeValue::List(items) => items.get_mut(*n).is_some_and(|item| item.remove(rest)),
                NodeValue::Map(entries) => entries.get_mut(*n).is_some_and(|(_, value)| value.remove(rest)),
                _ => false,
            },
        }
    }

    /// Calls `edit` with the node at a path.
    pub(super) fn edit(&mut self, path: &[usize], edit: impl FnOnce(&mut Self)) {
        match path.split_first() {
            None => edit(self),
            Some((n, rest)) => match &mut self.value {
                NodeValue::List(items) => {
                    if let Some(item) = items.get_mut(*n) {
                        item.edit(rest, edit);
                    }
                }
                NodeValue::Map(entries) => {
                    if let Some((_, value)) = entries.get_mut(*n) {
                        value.edit(rest, edit);
                    }
                }
                _ => {}
            },
        }
    }

    /// Adds an entry for a key that is missing, so that what follows can be read.
    pub(super) fn add(&mut self, key: &str) {
        let text = |text: &str| Self {
            range: self.range.clone(),
            value: NodeValue::Text(text.to_owned()),
            repaired: vec![text.to_owned()],
        };
        let entry = (text(key), text("-"));
        if let NodeValue::Map(entries) = &mut self.value {
            entries.push(entry);
            self.repaired.push(key.to_owned());
        }
    }
}

impl From<&serde_json::Value> for Node {
    fn from(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        Self::of(match value {
            Value::Null => NodeValue::Null(String::new()),
            Value::Bool(value) => NodeValue::Bool(*value, value.to_string()),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(value), _) => NodeValue::Unsigned(value, number.to_string()),
                (None, Some(value)) => NodeValue::Signed(value, number.to_string()),
                (None, None) => NodeValue::Float(number.as_f64().unwrap_or(0.0), number.to_string()),
            },
            Value::String(text) => NodeValue::Text(text.clone()),
            Value::Array(items) => NodeValue::List(items.iter().map(Self::from).collect()),
            Value::Object(members) => NodeValue::Map(
                members.iter().map(|(key, value)| (key.as_str().into(), Self::from(value))).collect(),
            ),
        })
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::of(NodeValue::Text(text.to_owned()))
    }
}

/// The byte range of a location.
pub(super) fn range_of(location: Location) -> Range<usize> {
    let span = location.span();
    let start = span.byte_offset().unwrap_or(0) as usize;
    start..start + span.byte_len().unwrap_or(0) as usize
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<NodeValue>::deserialize(deserializer)?;
        Ok(Self { range: range_of(referenced), value, repaired: Vec::new() })
    }
}

impl<'de> Deserialize<'de> for NodeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;

        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = NodeValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E: Error>(self) -> Result<NodeValue, E> {
                Ok(NodeValue::Null(String::new()))
            }

            fn visit_none<E: Error>(self) -> Result<NodeValue, E> {
                Ok(NodeValue::Null(String::new()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<NodeValue, E> {
                Ok(NodeValue::Bool(value, value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<NodeValue, E> {
                Ok(NodeValue::Unsigned(value, value.to_string()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<NodeValue, E> {
                Ok(match u64::try_from(value) {
                    Ok(positive) => NodeValue::Unsigned(positive, value.to_string()),
                    Err(_) => NodeValue::Signed(value, value.to_string()),
                })
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<NodeValue, E> {
                Ok(NodeValue::Float(value, value.to_string()))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<NodeValue, E> {
                Ok(NodeValue::Text(value.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<NodeValue, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(NodeValue::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NodeValue, A::Error> {
                let mut entries = Vec::new();
                while let Some(Spanned { value, referenced, .. }) = map.next_key::<Spanned<String>>()? {
                    let range = range_of(referenced);
                    let key = Node { range, value: NodeValue::Text(value), repaired: Vec::new() };
                    entries.push((key, map.next_value()?));
                }
                Ok(NodeValue::Map(entries))
            }
        }

        deserializer.deserialize_any(ValueVisitor)
    }
}
