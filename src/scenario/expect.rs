//! Expectations of a scenario in addition to the contract's rules.

use std::{fmt, str::FromStr, time::Duration};

use indexmap::IndexMap;
#[cfg(test)]
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};

use super::{duration, expect_body::BodyExpect, expect_header::HeaderExpect, expect_request::RequestExpect};

/// What a scenario expects in addition to the contract's rules. Expectations about the response apply to the
/// last step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The status of the response: `429`, `[408, 504]` or `4xx`. Default: any status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusSet>,
    /// The number of requests that reach the upstreams: `1` in total, or for each deployment
    /// (`{primary: 1, backup: 0}`). Default: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Attempts>,
    /// How the response ends. Default: any ending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<EndingExpect>,
    /// What the finish reason means. Default: any finish reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish: Option<FinishExpect>,
    /// Members of the error object that the caller gets. Default: any members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorExpect>,
    /// Headers of the response: a value, `null` for an absent header, `{present: true}` or `{contains: text}`.
    /// Default: none.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, HeaderExpect>,
    /// The media type of the response, without parameters: `text/event-stream`. Default: any type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The body of the response. Default: any body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyExpect>,
    /// The requests that reach the upstreams, in the order of arrival; the last entry applies to all further ones. Default:
    /// any requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestExpect>,
    /// The longest time until the status and the headers of the response, as a duration (`2s`). Default: any time.
    #[serde(with = "duration::option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub first_byte_within: Option<Duration>,
    /// The longest time that the response may take until its end, as a duration (`2s`). Default: any time.
    #[serde(with = "duration::option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub within: Option<Duration>,
}

/// How a response ends, from the caller's point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndingExpect {
    /// A complete, successful response.
    Success,
    /// A failure that the caller can detect: an error status, an error event, or a cut connection.
    Failure,
    /// An error event inside a stream.
    ErrorEvent,
    /// The connection ends before the response is complete.
    Cut,
}

/// What the finish reason of a success means, in the words of the API that the caller calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FinishExpect {
    /// The response is whole: `stop`, `end_turn`, `STOP`, `completed`.
    Stop,
    /// The model called a tool: `tool_calls`, `tool_use`; in an API without such a reason, `STOP` or `completed`.
    ToolCalls,
    /// The token limit cut the response off: `length`, `max_tokens`, `max_output_tokens`.
    Limit,
    /// The response was refused or filtered: `content_filter`, `refusal`, `SAFETY`.
    Filter,
}

/// Members of the error object that the caller must get, in the dialect of the API that it calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ErrorExpect {
    /// `error.code`, as text. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// `error.type`. Default: any.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `error.param`. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    /// A substring of `error.message`. Default: any message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_contains: Option<String>,
}

/// A set of statuses: `429`, `[408, 504]`, `4xx`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet(pub Vec<StatusPattern>);

/// One status, or a class of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusPattern {
    /// 100–599.
    Exactly(u16),
    /// 1–5: `4` means `4xx`.
    Class(u8),
}

impl StatusSet {
    /// Whether `status` is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|pattern| match *pattern {
            StatusPattern::Exactly(one) => one == status,
            StatusPattern::Class(class) => status / 100 == u16::from(class),
        })
    }
}

/// Statuses with commas between them, as on the command line: `429,5xx`.
impl FromStr for StatusSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(|one| StatusPattern::text(one.trim())).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, pattern) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" or ")?;
            }
            write!(f, "{pattern}")?;
        }
        Ok(())
    }
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

impl StatusPattern {
    fn number(value: u64) -> Result<Self, String> {
        u16::try_from(value)
            .ok()
            .filter(|status| (100..600).contains(status))
            .map(Self::Exactly)
            .ok_or_else(|| format!("{value} is not an HTTP status (100 to 599)"))
    }

    fn text(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            [class @ b'1'..=b'5', b'x', b'x'] => Ok(Self::Class(class - b'0')),
            _ => text
                .parse::<u64>()
                .map_err(|_| format!("`{text}` is not a status; write `429`, `[408, 504]` or `4xx`"))
                .and_then(Self::number),
        }
    }
}

impl Serialize for StatusPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exactly(status) => serializer.serialize_u16(*status),
            Self::Class(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for StatusPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        StatusSet::deserialize(deserializer)?.0.pop().ok_or_else(|| D::Error::custom("a status is missing"))
    }
}

impl Serialize for StatusSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            many => many.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SetVisitor;

        impl<'de> Visitor<'de> for SetVisitor {
            type Value = StatusSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status (`429`), a class (`4xx`) or a list of them")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<StatusSet, E> {
                StatusPattern::number(value).map(|one| StatusSet(vec![one])).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<StatusSet, E> {
                self.visit_u64(u64::try_from(value).unwrap_or(0))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<StatusSet, E> {
                StatusPattern::text(text).map(|one| StatusSet(vec![one])).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<StatusSet, A::Error> {
                let mut patterns = Vec::new();
                while let Some(StatusSet(mut one)) = seq.next_element()? {
                    patterns.append(&mut one);
                }
                if patterns.is_empty() {
                    return Err(A::Error::custom("an empty list of statuses never matches"));
                }
                Ok(StatusSet(patterns))
            }
        }

        deserializer.deserialize_any(SetVisitor)
    }
}

#[cfg(test)]
impl JsonSchema for StatusSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusSet".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = serde_json::json!({"oneOf": [
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"type": "string", "pattern": "^[1-5]xx$"},
        ]});
        json_schema!({
            "description": "A status (`429`), a class (`4xx`) or a list of them.",
            "oneOf": [one["oneOf"][0], one["oneOf"][1], {"type": "array", "items": one, "minItems": 1}],
        })
    }
}

/// The number of requests that reach the upstreams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempts {
    /// In total, over all deployments.
    Total(u32),
    /// For each named deployment.
    Each(IndexMap<String, u32>),
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total(n) => write!(f, "{n}"),
            Self::Each(map) => {
                for (i, (name, n)) in map.iter().enumerate() {
                    write!(f, "{}{name}: {n}", if i > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

impl Serialize for Attempts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Total(n) => serializer.serialize_u32(*n),
            Self::Each(map) => map.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Attempts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AttemptsVisitor;

        impl<'de> Visitor<'de> for AttemptsVisitor {
            type Value = Attempts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of attempts, or one for each deployment (`{primary: 1, backup: 0}`)")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Attempts, E> {
                u32::try_from(value).map(Attempts::Total).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Attempts, E> {
                u32::try_from(value).map(Attempts::Total).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attempts, A::Error> {
                let mut each = IndexMap::new();
                while let Some((name, n)) = map.next_entry()? {
                    each.insert(name, n);
                }
                Ok(Attempts::Each(each))
            }
        }

        deserializer.deserialize_any(AttemptsVisitor)
    }
}

#[cfg(test)]
impl JsonSchema for Attempts {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Attempts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The number of requests that reach the upstreams, in total or for each deployment.",
            "oneOf": [
                {"type": "integer", "minimum": 0},
                {"type": "object", "additionalProperties": {"type": "integer", "minimum": 0}},
            ],
        })
    }
}
