//! A policy, its keys, and the questions that they answer.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{
    AfterError, Answer, ChainError, CleanEnd, Possible, RuleName, Ruling, StatusesOrNone, Weight,
};
use crate::scenario::StatusSet;

/// Between the name of a bundled policy and that of the file which changes it.
pub(super) const PLUS: &str = " + ";

/// A disputed question, and the key that holds its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// As it stands in files.
    pub key: &'static str,
    /// What is asked, in one line.
    pub asks: &'static str,
    /// The rules that go by the answer.
    pub rules: &'static [&'static str],
    /// What may be written as an answer; of statuses, examples.
    pub possible: &'static [&'static str],
}

/// One list of keys makes the policy, what a file may say of it, and the table of questions: a key that
/// stands in one of them alone cannot be. An answer that is a weight is the weight of the rules in the
/// first list; those in the second only look at it.
macro_rules! policy {
    ($($key:ident: $answer:ty, $asks:literal, [$($rule:literal),*] $(and [$($also:literal),*])?;)*) => {
        /// The answers by which a run is judged, each with its reason.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct Policy {
            /// The name that reports show.
            pub name: String,
            $(#[doc = $asks] pub $key: Ruling<$answer>,)*
            /// Rules that speak more strongly or more weakly than the contract says.
            pub levels: IndexMap<RuleName, Ruling<Weight>>,
        }

        /// What a file says: the answers that differ from those of the policy that it extends. `Name`
        /// is how that policy is named: with its place, where the format can tell it.
        #[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[schemars(rename = "PolicyEdits")]
        pub struct PolicyEdits<Name> {
            /// What reports call it.
            pub(super) name: Option<String>,
            /// The bundled policy whose answers hold where this one says nothing; the default where it is left out.
            pub(super) extends: Option<Name>,
            $(#[doc = $asks] $key: Option<Ruling<$answer>>,)*
            /// Rules that speak more strongly or more weakly than the contract says.
            #[serde(default)]
            levels: IndexMap<RuleName, Ruling<Weight>>,
        }

        impl<Name> PolicyEdits<Name> {
            /// A policy that rests on no other; the key that it leaves open, where there is one.
            pub(super) fn complete(self, name: &str) -> Result<Policy, &'static str> {
                Ok(Policy {
                    name: name.to_owned(),
                    $($key: self.$key.ok_or(stringify!($key))?,)*
                    levels: self.levels,
                })
            }

            /// `base` with these answers in the place of its own.
            pub(super) fn applied_to(self, base: Policy) -> Policy {
                let mut levels = base.levels;
                levels.extend(self.levels);
                Policy {
                    name: self.name.unwrap_or(base.name),
                    $($key: self.$key.unwrap_or(base.$key),)*
                    levels,
                }
            }

            /// The answers that come without a reason, each as the path of its key: `timeout`, or
            /// `levels`, `status.timeout`.
            pub fn without_reason(&self) -> Vec<Vec<&str>> {
                let mut paths: Vec<Vec<&str>> = Vec::new();
                $(if self.$key.as_ref().is_some_and(Ruling::is_unreasoned) {
                    paths.push(vec![stringify!($key)]);
                })*
                let levels = self.levels.iter().filter(|(_, ruling)| ruling.is_unreasoned());
                paths.extend(levels.map(|(rule, _)| vec!["levels", rule.0.as_str()]));
                paths
            }
        }

        impl Policy {
            /// The disputed questions, in the order of the keys.
            pub const QUESTIONS: &[Question] = &[
                $(Question {
                    key: stringify!($key),
                    asks: $asks,
                    rules: &[$($rule,)* $($($also,)*)?],
                    possible: <$answer as Possible>::POSSIBLE,
                },)*
            ];

            /// Every key with its answer as text and its reason.
            pub fn rows(&self) -> Vec<(&'static Question, String, &str)> {
                let rulings = [$((self.$key.answer.to_string(), self.$key.reason.as_str()),)*];
                let rows = Self::QUESTIONS.iter().zip(rulings);
                rows.map(|(question, (answer, reason))| (question, answer, reason)).collect()
            }

            /// How strongly a rule speaks under this policy, where that is not as the contract says.
            pub fn weight(&self, rule: &str) -> Option<Weight> {
                if let Some(own) = self.levels.get(rule) {
                    return Some(own.answer);
                }
                $(if let (Some(weight), true) = (self.$key.answer.weight(), [$($rule),*].contains(&rule)) {
                    return Some(weight);
                })*
                None
            }
        }
    };
}

policy! {
    credentials: StatusSet, "What status is it when the upstream rejects the proxy's own key (401, 403)?",
        ["status.credentials"];
    timeout: StatusSet, "What status is it when the upstream does not answer in time?",
        ["status.timeout", "status.unreachable"];
    overloaded: StatusSet, "What status is it when the upstream is overloaded (503, 529)?", ["status.overloaded"];
    rate_limit: StatusSet, "What status is it when the upstream limits a key that callers share (429)?",
        ["status.rate-limit"];
    retry_after: Weight, "Is Retry-After passed on as it is?", ["headers.retry-after"];
    unreachable: StatusSet, "What status is it when the upstream cannot be reached?",
        ["status.unreachable", "status.timeout"];
    after_error: AfterError, "Does `[DONE]` follow the error event of a stream?", ["stream.one-error-event"];
    clean_end: CleanEnd, "Is a stream that ends properly without a finish reason a failure?",
        ["stream.no-forged-success", "stream.error-visible"];
    hold_back: Weight, "Is the 200 of a stream held back until the upstream has begun?",
        ["stream.error-status"] and ["sibling.stream-status"];
    chain_error: ChainError, "Whose error is told when the whole chain fails?", ["fallback.true-error"];
    fallback_on: StatusSet, "Which statuses must be followed by the next of a chain?",
        ["fallback.used", "fallback.only-when-needed"];
    no_fallback_on: StatusesOrNone,
        "Which statuses must not be followed by the next of a chain (but those of `fallback_on`)?",
        ["fallback.only-when-needed"];
    error_code: Weight, "Does the provider's error code stay what it was?", ["detail.code-kept"];
    error_type: Weight, "Does the provider's error type stay what it was?", ["detail.type-kept"];
    request_message: Weight, "Is the provider's message of a 4xx shown?",
        ["detail.message-kept"] and ["fallback.true-error"];
    server_message: Weight, "Is the provider's message of a 5xx shown?",
        ["detail.server-message-kept"] and ["fallback.true-error"];
    stream_message: Weight, "Is the provider's message of an error inside a stream shown?",
        ["stream.error-detail"] and ["fallback.true-error"];
    quota: StatusSet, "What status is it when a spent quota is reported as a 400?", ["status.mirrored"];
    client_gone: Weight, "Is the upstream let go when the caller of a plain answer leaves (of a stream it must be)?",
        ["disconnect.plain-let-go"];
}

impl Policy {
    /// The questions whose answers a rule goes by.
    pub fn questions_of(rule: &str) -> impl Iterator<Item = &'static Question> {
        Self::QUESTIONS.iter().filter(move |question| question.rules.contains(&rule))
    }

    /// Its name, and what differs from the policy that is bundled under that name:
    /// `default, with timeout = 504`.
    pub fn describe(&self) -> String {
        let bundled = self.name.split_once(PLUS).map_or(self.name.as_str(), |(base, _)| base);
        let Some(base) = Self::named(bundled) else { return self.name.clone() };
        let mut changed: Vec<String> = self
            .rows()
            .into_iter()
            .zip(base.rows())
            .filter(|((_, own, _), (_, base, _))| own != base)
            .map(|((question, own, _), _)| format!("{} = {own}", question.key))
            .collect();
        let own = |(rule, ruling): &(&RuleName, &Ruling<Weight>)| {
            base.levels.get(*rule).map(|ruling| ruling.answer) != Some(ruling.answer)
        };
        let levels = self.levels.iter().filter(own);
        changed.extend(levels.map(|(rule, ruling)| format!("{} = {}", rule.0, ruling.answer)));
        if changed.is_empty() {
            self.name.clone()
        } else {
            format!("{}, with {}", self.name, changed.join(", "))
        }
    }
}
