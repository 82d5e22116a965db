//! What the answer to a disputed question may be.

use std::{fmt, marker::PhantomData};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};

use crate::{
    judge,
    scenario::{Level, nearest},
};

/// An answer, and why it is this one. In a file it may be written as the answer alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ruling<T> {
    /// The answer.
    pub answer: T,
    /// Why; empty where nobody said.
    pub reason: String,
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
