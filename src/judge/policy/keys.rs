//! A policy, its keys, and the questions that they answer.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{AfterError, ChainError, CleanEnd, RuleName, Ruling, Weight};
use crate::scenario::StatusSet;

/// A disputed question, and the key that holds its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// As it stands in files.
    pub key: &'static str,
    /// What is asked, in one line.
    pub asks: &'static str,
    /// The rules that go by the answer.
    pub rules: &'static [&'static str],
}

/// One list of keys makes the policy, what a file may say of it, and the table of questions: a key that
/// stands in one of them alone cannot be.
macro_rules! policy {
    ($($key:ident: $answer:ty, $asks:literal, [$($rule:literal),*];)*) => {
        /// The answers by which a run is judged, each with its reason.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct Policy {
            /// The name that reports show.
            pub name: String,
            $(#[doc = $asks] pub $key: Ruling<$answer>,)*
            /// Rules that speak more strongly or more weakly than the contract says.
            pub levels: IndexMap<RuleName, Weight>,
        }

        /// What a file says: the answers that differ from those of the policy that it extends.
        #[derive(Debug, Clone, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct Edits {
            pub(super) name: Option<String>,
            pub(super) extends: Option<serde_saphyr::Spanned<String>>,
            $($key: Option<Ruling<$answer>>,)*
            levels: IndexMap<RuleName, Weight>,
        }

        impl Edits {
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
        }

        impl Policy {
            /// The disputed questions, in the order of the keys.
            pub const QUESTIONS: &[Question] = &[
                $(Question { key: stringify!($key), asks: $asks, rules: &[$($rule),*] },)*
            ];

            /// Every key with its answer as text and its reason.
            pub fn rows(&self) -> Vec<(&'static Question, String, &str)> {
                let rulings = [$((self.$key.answer.to_string(), self.$key.reason.as_str()),)*];
                let rows = Self::QUESTIONS.iter().zip(rulings);
                rows.map(|(question, (answer, reason))| (question, answer, reason)).collect()
            }
        }
    };
}

policy! {
    credentials: StatusSet, "What status is it when the upstream rejects the proxy's own key (401, 403)?",
        ["status.credentials"];
    timeout: StatusSet, "What status is it when the upstream does not answer in time?", ["status.timeout"];
    overloaded: StatusSet, "What status is it when the upstream is overloaded (503, 529)?", ["status.overloaded"];
    rate_limit: StatusSet, "What status is it when the upstream limits a key that callers share (429)?",
        ["status.rate-limit"];
    retry_after: Weight, "Is Retry-After passed on as it is?", ["headers.retry-after"];
    unreachable: StatusSet, "What status is it when the upstream cannot be reached?", ["status.unreachable"];
    after_error: AfterError, "Does `[DONE]` follow the error event of a stream?", ["stream.one-error-event"];
    clean_end: CleanEnd, "Is a stream that ends properly without a finish reason a failure?",
        ["stream.no-forged-success", "stream.error-visible"];
    hold_back: Weight, "Is the 200 of a stream held back until the upstream has begun?",
        ["stream.error-status", "sibling.stream-status"];
    chain_error: ChainError, "Whose error is told when the whole chain fails?", ["fallback.true-error"];
    fallback_on: StatusSet, "Which statuses are followed by the next of a chain?", ["fallback.used"];
    error_code: Weight, "Does the provider's error code stay what it was?", ["detail.code-kept"];
    server_message: Weight, "Is the provider's message of a 5xx shown?", ["detail.server-message-kept"];
    quota: StatusSet, "What status is it when a spent quota is reported as a 400?", ["status.mirrored"];
}

impl Policy {
    /// How strongly a rule speaks under this policy, where that is not as the contract says.
    pub fn weight(&self, rule: &str) -> Option<Weight> {
        if let Some(weight) = self.levels.get(rule) {
            return Some(*weight);
        }
        match rule {
            "headers.retry-after" => Some(self.retry_after.answer),
            "stream.error-status" => Some(self.hold_back.answer),
            "detail.code-kept" => Some(self.error_code.answer),
            "detail.server-message-kept" => Some(self.server_message.answer),
            _ => None,
        }
    }

    /// The questions whose answers a rule goes by.
    pub fn questions_of(rule: &str) -> impl Iterator<Item = &'static Question> {
        Self::QUESTIONS.iter().filter(move |question| question.rules.contains(&rule))
    }

    /// Its name, and what differs from the policy that is bundled under that name:
    /// `default, with timeout = 504`.
    pub fn describe(&self) -> String {
        let Some(base) = Self::named(&self.name) else { return self.name.clone() };
        let mut changed: Vec<String> = self
            .rows()
            .into_iter()
            .zip(base.rows())
            .filter(|((_, own, _), (_, base, _))| own != base)
            .map(|((question, own, _), _)| format!("{} = {own}", question.key))
            .collect();
        let levels = self.levels.iter().filter(|(rule, weight)| base.levels.get(*rule) != Some(weight));
        changed.extend(levels.map(|(rule, weight)| format!("{} = {weight}", rule.0)));
        if changed.is_empty() {
            self.name.clone()
        } else {
            format!("{}, with {}", self.name, changed.join(", "))
        }
    }
}
