//! The possible answers to disputed questions.

use std::{fmt, marker::PhantomData};

#[cfg(test)]
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
    scenario::{Level, StatusSet, nearest, words},
};

/// An answer and the reason for it. In a file, the answer alone is enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct PolicyRuling<T> {
    /// The answer.
    pub answer: T,
    /// The reason; empty if none was given.
    pub reason: String,
}

impl<T> PolicyRuling<T> {
    /// Whether the reason is missing.
    pub(super) fn is_unreasoned(&self) -> bool {
        self.reason.trim().is_empty()
    }
}

/// A key of a policy and its answer, for findings that depend on it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct PolicyAnswer {
    /// The key in `policy`: `timeout` or `levels.status.timeout`.
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
    /// Several answers in a sentence: `policy.timeout = 504 and policy.unreachable = 502`.
    pub fn list(answers: &[Self]) -> String {
        answers.iter().map(Self::to_string).collect::<Vec<_>>().join(Self::AND)
    }

    /// Parses the output of [`list`](Self::list); `None` for other text.
    pub fn parse_list(text: &str) -> Option<Vec<Self>> {
        let parse = |one: &str| {
            let (key, answer) = one.strip_prefix("policy.")?.split_once(" = ")?;
            Some(Self { key: key.to_owned(), answer: answer.to_owned() })
        };
        text.split(Self::AND).map(parse).collect()
    }

    const AND: &'static str = " and ";
}

words! {
    /// The level of a rule under a policy.
    Weight {
        /// A finding fails the case.
        Required = "required",
        /// A finding is reported and stored in snapshots.
        Recommended = "recommended",
        /// A finding is reported.
        Informative = "informative",
        /// The rule does not apply.
        Lifted = "lifted",
    }
}

impl PossibleAnswers for Weight {
    const POSSIBLE: &[&str] = Self::NAMES;
}

words! {
    /// What can follow the error event of a stream.
    AfterError {
        /// `[DONE]`, or nothing.
        Either = "either",
        /// `[DONE]`, in dialects that use it.
        Done = "done",
        /// No terminator.
        Nothing = "nothing",
    }
}

impl PossibleAnswers for AfterError {
    const POSSIBLE: &[&str] = Self::NAMES;
}

words! {
    /// How to treat a stream that ends properly but without a finish reason.
    CleanEnd {
        /// A failure.
        Failure = "failure",
        /// A failure, unless it ended with `[DONE]`: then the proxy can report either.
        FailureUnlessDone = "failure_unless_done",
        /// The proxy can report a success or a failure.
        Either = "either",
    }
}

impl PossibleAnswers for CleanEnd {
    const POSSIBLE: &[&str] = Self::NAMES;
}

words! {
    /// Which error the proxy reports when every deployment of a chain has failed.
    ChainError {
        /// The error of any deployment that was tried.
        Any = "any",
        /// The error of the first deployment that was tried.
        First = "first",
        /// The error of the last deployment that was tried.
        Last = "last",
    }
}

impl PossibleAnswers for ChainError {
    const POSSIBLE: &[&str] = Self::NAMES;
}

/// A type of answers.
pub(super) trait PossibleAnswers {
    /// The possible answers as written in files, or examples.
    const POSSIBLE: &[&str];
}

impl PossibleAnswers for StatusSet {
    const POSSIBLE: &[&str] = &["504", "5xx", "[503, 5xx]"];
}

impl PossibleAnswers for OptionalStatusSet {
    const POSSIBLE: &[&str] = &["404", "4xx", "[400, 404]", "none"];
}

/// The level that an answer gives to the rules that use it.
pub(super) trait AnswerLevel: PossibleAnswers {
    /// The level, if the answer is one.
    fn weight(&self) -> Option<Weight> {
        None
    }
}

impl AnswerLevel for Weight {
    fn weight(&self) -> Option<Weight> {
        Some(*self)
    }
}

impl AnswerLevel for AfterError {}
impl AnswerLevel for CleanEnd {}
impl AnswerLevel for ChainError {}
impl AnswerLevel for StatusSet {}
impl AnswerLevel for OptionalStatusSet {}

impl Weight {
    /// The level of a finding; `None` if the rule is lifted.
    pub fn level(self) -> Option<Level> {
        match self {
            Self::Required => Some(Level::Required),
            Self::Recommended => Some(Level::Recommended),
            Self::Informative => Some(Level::Informative),
            Self::Lifted => None,
        }
    }
}

/// A set of statuses, which can be empty: `none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionalStatusSet(pub Option<StatusSet>);

impl OptionalStatusSet {
    /// The word for the empty set.
    const NONE: &'static str = "none";

    /// Whether `status` is in the set.
    pub fn contains(&self, status: u16) -> bool {
        self.0.as_ref().is_some_and(|statuses| statuses.contains(status))
    }
}

impl fmt::Display for OptionalStatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(statuses) => statuses.fmt(f),
            None => f.write_str(Self::NONE),
        }
    }
}

impl Serialize for OptionalStatusSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(statuses) => statuses.serialize(serializer),
            None => serializer.serialize_str(Self::NONE),
        }
    }
}

impl<'de> Deserialize<'de> for OptionalStatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusesVisitor)
    }
}

#[cfg(test)]
impl JsonSchema for OptionalStatusSet {
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
    type Value = OptionalStatusSet;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a status (`404`), a class (`4xx`), a list of them, or `none`")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        StatusSet::deserialize(value.into_deserializer()).map(|set| OptionalStatusSet(Some(set)))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        StatusSet::deserialize(value.into_deserializer()).map(|set| OptionalStatusSet(Some(set)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        match value {
            OptionalStatusSet::NONE => Ok(OptionalStatusSet(None)),
            _ => StatusSet::deserialize(value.into_deserializer()).map(|set| OptionalStatusSet(Some(set))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        StatusSet::deserialize(SeqAccessDeserializer::new(items)).map(|set| OptionalStatusSet(Some(set)))
    }
}

/// The id of a rule of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
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
        Err(D::Error::custom(format!("unknown rule `{name}`; {help}")))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for PolicyRuling<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RulingVisitor(PhantomData))
    }
}

struct RulingVisitor<T>(PhantomData<T>);

/// An answer in a file, with its reason.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reasoned<T> {
    answer: T,
    #[serde(default)]
    reason: String,
}

fn bare<T, E>(answer: Result<T, E>) -> Result<PolicyRuling<T>, E> {
    answer.map(|answer| PolicyRuling { answer, reason: String::new() })
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for RulingVisitor<T> {
    type Value = PolicyRuling<T>;

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
        Ok(PolicyRuling { answer, reason })
    }
}
