//! A value with its position in a file.

use std::{fmt, marker::PhantomData};

#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

/// The name with which a located value asks the deserializer of nodes for its range.
pub(super) const LOCATED: &str = "$upfault::Located";

/// A value with its byte range in the file. Only [`parse`](super::parse::parse) can deserialize it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Located<T> {
    /// The value.
    pub value: T,
    /// The byte range of its text.
    pub range: std::ops::Range<usize>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LocatedVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for LocatedVisitor<T> {
            type Value = Located<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with its range")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, parts: D) -> Result<Self::Value, D::Error> {
                let (start, end, value) = <(usize, usize, T)>::deserialize(parts)?;
                if start > end {
                    return Err(D::Error::custom("a range ends before it begins"));
                }
                Ok(Located { value, range: start..end })
            }
        }

        deserializer.deserialize_newtype_struct(LOCATED, LocatedVisitor(PhantomData))
    }
}

#[cfg(test)]
impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
