//! What the answer to a disputed question may be.

use std::{fmt, marker::PhantomData};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

use crate::{
    judge,
    scenario::{Level, StatusSet, nearest},
};

/// An answer, and why it is this one. In a file it may be written as the answer alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ruling<T> {
    /// The answer.
    pub answer: T,
    /// Why; empty where nobody said.
    pub reason: String,
}

impl<T> Ruling<T> {
    /// Whether nobody said why.
    pub(super) fn is_unreasoned(&self) -> bool {
        self.reason.trim().is_empty()
    }
}

/// One answer of a policy, as data: it names what a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PolicyAnswer {
    /// The key below `policy`: `timeout`, or `levels.status.timeout`.
    pub key: String,
    /// The answer as text: `504 or 408`.
    pub answer: String,
}

impl fmt::Display for PolicyAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy.{} = {}", self.key, self.answer)
    }
}

impl PolicyAnswer {
    /// Several of them in a sentence: `policy.timeout = 504 and policy.unreachable = 502`.
    pub fn list(answers: &[Self]) -> String {
        answers.iter().map(Self::to_string).collect::<Vec<_>>().join(Self::AND)
    }

    /// What [`list`](Self::list) wrote; `None` for any other text.
    pub fn parse_list(text: &str) -> Option<Vec<Self>> {
        let parse = |one: &str| {
            let (key, answer) = one.strip_prefix("policy.")?.split_once(" = ")?;
            Some(Self { key: key.to_owned(), answer: answer.to_owned() })
        };
        text.split(Self::AND).map(parse).collect()
    }

    const AND: &'static str = " and ";
}

macro_rules! answers {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)*
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word,)* })
            }
        }

        impl Possible for $name {
            const POSSIBLE: &[&str] = &[$($word),*];
        }
    };
}

answers! {
    /// How strongly a rule speaks under a policy.
    Weight {
        /// A finding of it fails a case.
        Required = "required",
        /// A finding of it is shown, and held by snapshots.
        Recommended = "recommended",
        /// A finding of it is shown.
        Informative = "informative",
        /// It does not speak at all.
        Lifted = "lifted",
    }
}

answers! {
    /// What may follow the error event of a stream.
    AfterError {
        /// `[DONE]`, or nothing.
        Either = "either",
        /// `[DONE]`, in dialects that have it.
        Done = "done",
        /// No terminator.
        Nothing = "nothing",
    }
}

answers! {
    /// What a stream is that ended properly without saying why.
    CleanEnd {
        /// A failure, whatever else it said.
        Failure = "failure",
        /// A failure, unless it said `[DONE]`: then a caller may be told of either.
        FailureUnlessDone = "failure_unless_done",
        /// A caller may be told of a success or of a failure.
        Either = "either",
    }
}

answers! {
    /// Whose error is told when every deployment of a chain has failed.
    ChainError {
        /// Of any one that was tried.
        Any = "any",
        /// Of the deployment that was tried first.
        First = "first",
        /// Of the deployment that was tried last.
        Last = "last",
    }
}

/// What may be written as an answer.
pub(super) trait Possible {
    /// Words, or what is possible in words.
    const POSSIBLE: &[&str];
}

impl Possible for StatusSet {
    const POSSIBLE: &[&str] = &["504", "5xx", "[503, 5xx]"];
}

impl Possible for StatusesOrNone {
    const POSSIBLE: &[&str] = &["404", "4xx", "[400, 404]", "none"];
}

/// What an answer says of how strongly the rules that go by it speak.
pub(super) trait Answer: Possible {
    /// The weight, where the answer is one.
    fn weight(&self) -> Option<Weight> {
        None
    }
}

impl Answer for Weight {
    fn weight(&self) -> Option<Weight> {
        Some(*self)
    }
}

impl Answer for AfterError {}
impl Answer for CleanEnd {}
impl Answer for ChainError {}
impl Answer for StatusSet {}
impl Answer for StatusesOrNone {}

impl Weight {
    /// The level of a finding; none where the rule is lifted.
    pub fn level(self) -> Option<Level> {
        match self {
            Self::Required => Some(Level::Required),
            Self::Recommended => Some(Level::Recommended),
            Self::Informative => Some(Level::Informative),
            Self::Lifted => None,
        }
    }
}

/// A set of statuses, or `none` of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusesOrNone(pub Option<StatusSet>);

impl StatusesOrNone {
    /// The word for the empty set.
    const NONE: &'static str = "none";

    /// Whether `status` is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.as_ref().is_some_and(|statuses| statuses.contains(status))
    }
}

impl fmt::Display for StatusesOrNone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(statuses) => statuses.fmt(f),
            None => f.write_str(Self::NONE),
        }
    }
}

impl Serialize for StatusesOrNone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(statuses) => statuses.serialize(serializer),
            None => serializer.serialize_str(Self::NONE),
        }
    }
}

impl<'de> Deserialize<'de> for StatusesOrNone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusesVisitor)
    }
}

impl JsonSchema for StatusesOrNone {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusesOrNone".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let statuses = generator.subschema_for::<StatusSet>();
        json_schema!({
            "description": "A status, a class, a list of them, or `none`.",
            "anyOf": [statuses, {"const": Self::NONE}],
        })
    }
}

struct StatusesVisitor;

impl<'de> Visitor<'de> for StatusesVisitor {
    type Value = StatusesOrNone;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status (`404`), a class (`4xx`), a list of them, or `none`")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        StatusSet::deserialize(value.into_deserializer()).map(|set| StatusesOrNone(Some(set)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        StatusSet::deserialize(value.into_deserializer()).map(|set| StatusesOrNone(Some(set)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        match value {
            StatusesOrNone::NONE => Ok(StatusesOrNone(None)),
            _ => StatusSet::deserialize(value.into_deserializer()).map(|set| StatusesOrNone(Some(set))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        StatusSet::deserialize(SeqAccessDeserializer::new(items)).map(|set| StatusesOrNone(Some(set)))
    }
}

/// The id of a rule of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct RuleName(pub String);

impl std::borrow::Borrow<str> for RuleName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for RuleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if judge::rule(&name).is_some() {
            return Ok(Self(name));
        }
        let help = match nearest(&name, judge::rules().map(|rule| rule.id)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`upfault explain rules` lists them".to_owned(),
        };
        Err(D::Error::custom(format!("there is no rule `{name}`; {help}")))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ruling<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RulingVisitor(PhantomData))
    }
}

struct RulingVisitor<T>(PhantomData<T>);

/// With its reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reasoned<T> {
    answer: T,
    #[serde(default)]
    reason: String,
}

fn bare<T, E>(answer: Result<T, E>) -> Result<Ruling<T>, E> {
    answer.map(|answer| Ruling { answer, reason: String::new() })
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for RulingVisitor<T> {
    type Value = Ruling<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer, or `{answer: …, reason: …}`")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        bare(T::deserialize(value.into_deserializer()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        bare(T::deserialize(value.into_deserializer()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        bare(T::deserialize(value.into_deserializer()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        bare(T::deserialize(SeqAccessDeserializer::new(items)))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        let Reasoned { answer, reason } = Reasoned::deserialize(MapAccessDeserializer::new(members))?;
        Ok(Ruling { answer, reason })
    }
}
