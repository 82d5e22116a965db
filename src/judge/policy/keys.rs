//! A policy, its keys, and the questions that they answer.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{
    AfterError, Answer, ChainError, CleanEnd, PolicyAnswer, Possible, RuleName, Ruling, StatusesOrNone,
    Weight,
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
    /// The rules whose level the answer decides: it is that level, or, where a user gives it, makes them required.
    pub decides: &'static [&'static str],
    /// All the rules that go by the answer.
    pub rules: &'static [&'static str],
    /// What may be written as an answer; of statuses, examples.
    pub possible: &'static [&'static str],
}

/// One list of keys makes the policy, what a file may say of it, and the table of questions: a key that
/// stands in one of them alone cannot be. The first list has the rules that the key decides: an answer that
/// is a weight is theirs, and any other answer makes them required where a user chose it. The rules in the
/// second list only look at the answer.
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
            /// Keys that a user's own file answers. The rules that they decide are required, unless the
            /// answer is itself a weight or `levels` names the rule.
            pub enforced: Vec<String>,
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
                    enforced: Vec::new(),
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
                    enforced: base.enforced,
                }
            }

            /// The same for a user's own file: what it answers is enforced.
            pub(super) fn enforced_on(self, base: Policy) -> Policy {
                let mut enforced = Vec::new();
                $(if self.$key.is_some() {
                    enforced.push(stringify!($key).to_owned());
                })*
                Policy { enforced, ..self.applied_to(base) }
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
                    decides: &[$($rule),*],
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
                $(if [$($rule),*].contains(&rule) {
                    let enforced = self.enforces(stringify!($key)).then_some(Weight::Required);
                    if let Some(weight) = self.$key.answer.weight().or(enforced) {
                        return Some(weight);
                    }
                })*
                None
            }

            /// The same policy with the default's answer to one question.
            fn with_default_for(&self, key: &str) -> Self {
                let mut policy = self.clone();
                let default = Self::default();
                policy.enforced.retain(|enforced| enforced != key);
                $(if key == stringify!($key) {
                    policy.$key = default.$key;
                })*
                policy
            }
        }
    };
}

policy! {
    credentials: StatusSet, "What status is it when the upstream rejects the proxy's own key (401, 403)?",
        ["status.credentials"];
    timeout: StatusSet, "What status is it when the upstream does not answer in time?",
        ["status.timeout"] and ["status.unreachable", "status.class-kept"];
    overloaded: StatusSet, "What status is it when the upstream is overloaded (503, 529)?", ["status.overloaded"];
    rate_limit: StatusSet, "What status is it when the upstream limits a key that callers share (429)?",
        ["status.rate-limit"] and ["cooldown.status"];
    retry_after: Weight, "Is Retry-After passed on as it is?", ["headers.retry-after"];
    unreachable: StatusSet, "What status is it when the upstream cannot be reached?",
        ["status.unreachable"] and ["status.timeout"];
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

    fn enforces(&self, key: &str) -> bool {
        self.enforced.iter().any(|enforced| enforced == key)
    }

    /// Every answer that a rule goes by and that the default policy does not give, with its reason and the
    /// policy that would be left without it.
    pub(in crate::judge) fn own_answers(&self, rule: &str) -> Vec<(PolicyAnswer, String, Self)> {
        let default = Self::default();
        let rows = self.rows().into_iter().zip(default.rows());
        let mut own: Vec<(PolicyAnswer, String, Self)> = rows
            .filter(|((question, ..), _)| question.rules.contains(&rule))
            .filter(|((question, answer, _), (_, usual, _))| answer != usual || self.enforces(question.key))
            .map(|((question, answer, reason), _)| {
                let key = question.key.to_owned();
                (PolicyAnswer { key, answer }, reason.to_owned(), self.with_default_for(question.key))
            })
            .collect();
        if let Some(ruling) = self.levels.get(rule) {
            let mut without = self.clone();
            without.levels.shift_remove(rule);
            let answer = PolicyAnswer { key: format!("levels.{rule}"), answer: ruling.answer.to_string() };
            own.push((answer, ruling.reason.clone(), without));
        }
        own
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
