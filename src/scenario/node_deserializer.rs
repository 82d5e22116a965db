//! Deserializes a tree of nodes. Every error has the range and the path of the value.

use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
        VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};

use super::{
    located::LOCATED,
    node::{Node, NodeValue},
    node_error::{NodeError, NodeErrorKind},
};

/// Deserializes one node.
#[derive(Clone, Copy)]
pub(super) struct NodeDeserializer<'n>(pub(super) &'n Node);

impl<'n> NodeDeserializer<'n> {
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        match &self.0.value {
            NodeValue::Null(_) => visitor.visit_unit(),
            NodeValue::Bool(value, _) => visitor.visit_bool(*value),
            NodeValue::Unsigned(value, _) => visitor.visit_u64(*value),
            NodeValue::Signed(value, _) => visitor.visit_i64(*value),
            NodeValue::Float(value, _) => visitor.visit_f64(*value),
            NodeValue::Text(text) => visitor.visit_str(text),
            NodeValue::List(items) => visitor.visit_seq(ListAccess { items, next: 0 }),
            NodeValue::Map(entries) => visitor.visit_map(EntryAccess { entries, next: 0 }),
        }
    }

    /// The text, also of a number or a truth value.
    fn text(self) -> Option<&'n str> {
        match &self.0.value {
            NodeValue::Text(text)
            | NodeValue::Bool(_, text)
            | NodeValue::Unsigned(_, text)
            | NodeValue::Signed(_, text)
            | NodeValue::Float(_, text) => Some(text),
            NodeValue::Null(_) | NodeValue::List(_) | NodeValue::Map(_) => None,
        }
    }

    fn here<T>(self, result: Result<T, NodeError>) -> Result<T, NodeError> {
        result.map_err(|error| error.at(&self.0.range))
    }
}

impl<'de> Deserializer<'de> for NodeDeserializer<'_> {
    type Error = NodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        self.here(self.visit(visitor))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        self.here(match self.text() {
            Some(text) => visitor.visit_str(text),
            None => self.visit(visitor),
        })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        match &self.0.value {
            NodeValue::Null(text) if !text.is_empty() => self.here(visitor.visit_str(text)),
            _ => self.deserialize_str(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        match self.0.value {
            NodeValue::Null(_) => self.here(visitor.visit_none()),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        match name == LOCATED {
            true => visitor.visit_newtype_struct(RangeAndValue(self.0)),
            false => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        let (variant, content) = match &self.0.value {
            NodeValue::Map(entries) => match entries.as_slice() {
                [(key, content)] => (key, Some(content)),
                [] => return self.here(Err(NodeError::invalid_type(Unexpected::Map, &"a name"))),
                several => {
                    let names = several.iter().filter_map(|(key, _)| key.text()).map(str::to_owned).collect();
                    return self.here(Err(NodeError::new(NodeErrorKind::ManyNames(names))));
                }
            },
            NodeValue::List(_) => {
                return self.here(Err(NodeError::invalid_type(Unexpected::Seq, &"a name")));
            }
            NodeValue::Null(text) if text.is_empty() => {
                return self.here(Err(NodeError::invalid_type(Unexpected::Unit, &"a name")));
            }
            _ => (self.0, None),
        };
        self.here(visitor.visit_enum(NameAccess { variant, content }))
    }

    // An object is never written as the list of its values.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        self.here(match &self.0.value {
            NodeValue::List(_) => Err(NodeError::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.visit(visitor),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct seq tuple tuple_struct
        map
    }
}

/// The entries of a list.
struct ListAccess<'n> {
    items: &'n [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for ListAccess<'_> {
    type Error = NodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, NodeError> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let n = self.next;
        self.next += 1;
        seed.deserialize(NodeDeserializer(item)).map(Some).map_err(|error| error.at(&item.range).in_entry(n))
    }
}

/// The entries of a map.
struct EntryAccess<'n> {
    entries: &'n [(Node, Node)],
    next: usize,
}

impl<'de> MapAccess<'de> for EntryAccess<'_> {
    type Error = NodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, NodeError> {
        let Some((key, _)) = self.entries.get(self.next) else { return Ok(None) };
        let n = self.next;
        seed.deserialize(NodeDeserializer(key)).map(Some).map_err(|error| error.at(&key.range).in_entry(n))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, NodeError> {
        let n = self.next;
        let Some((_, value)) = self.entries.get(n) else { return Err(NodeError::custom("no value")) };
        self.next += 1;
        seed.deserialize(NodeDeserializer(value)).map_err(|error| error.at(&value.range).in_entry(n))
    }
}

/// A name with or without values.
struct NameAccess<'n> {
    variant: &'n Node,
    content: Option<&'n Node>,
}

impl<'n, 'de> EnumAccess<'de> for NameAccess<'n> {
    type Error = NodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), NodeError> {
        let name = seed.deserialize(NodeDeserializer(self.variant));
        // A name with values is the key of the only entry of a map.
        let name = name.map_err(|error| match self.content {
            Some(_) => error.at(&self.variant.range).in_entry(0),
            None => error.at(&self.variant.range),
        })?;
        Ok((name, self))
    }
}

impl<'n> NameAccess<'n> {
    fn content(&self) -> Result<&'n Node, NodeError> {
        let name = self.variant.text().unwrap_or_default().to_owned();
        self.content.ok_or_else(|| NodeError::new(NodeErrorKind::NoValues(name)).at(&self.variant.range))
    }
}

impl<'de> VariantAccess<'de> for NameAccess<'_> {
    type Error = NodeError;

    fn unit_variant(self) -> Result<(), NodeError> {
        match self.content {
            None | Some(Node { value: NodeValue::Null(_), .. }) => Ok(()),
            Some(content) => {
                let name = self.variant.text().unwrap_or_default();
                let error = NodeError::custom(format!("`{name}` has no values"));
                Err(error.at(&content.range).in_entry(0))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, NodeError> {
        let content = self.content()?;
        seed.deserialize(NodeDeserializer(content)).map_err(|error| error.at(&content.range).in_entry(0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, NodeError> {
        let content = self.content()?;
        NodeDeserializer(content).deserialize_any(visitor).map_err(|error| error.in_entry(0))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, NodeError> {
        let content = self.content()?;
        NodeDeserializer(content).deserialize_struct("", fields, visitor).map_err(|error| error.in_entry(0))
    }
}

/// The parts of a located value: begin and end of its range, and the value.
struct RangeAndValue<'n>(&'n Node);

impl<'de> Deserializer<'de> for RangeAndValue<'_> {
    type Error = NodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, NodeError> {
        visitor.visit_seq(Parts { node: self.0, next: 0 })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Parts<'n> {
    node: &'n Node,
    next: usize,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = NodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, NodeError> {
        self.next += 1;
        match self.next {
            1 => seed.deserialize(self.node.range.start.into_deserializer()).map(Some),
            2 => seed.deserialize(self.node.range.end.into_deserializer()).map(Some),
            _ => seed.deserialize(NodeDeserializer(self.node)).map(Some),
        }
    }
}
