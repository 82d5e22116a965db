//! The keys of a policy and the questions that they answer.

use indexmap::IndexMap;
#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::{
    AfterError, AnswerLevel, ChainError, CleanEnd, OptionalStatusSet, PolicyAnswer, PolicyRuling,
    PossibleAnswers, RuleName, Weight,
};
use crate::scenario::StatusSet;

/// Separates the name of a bundled policy from the file that changes it.
pub(super) const PLUS: &str = " + ";

/// A disputed question and its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PolicyQuestion {
    /// The key in files.
    pub key: &'static str,
    /// The question, in one line.
    pub asks: &'static str,
    /// The rules whose level the answer decides: either the answer is a level, or the rules become required if a
    /// user chooses the answer.
    pub decides: &'static [&'static str],
    /// All rules that use the answer.
    pub rules: &'static [&'static str],
    /// The possible answers, or examples.
    pub possible: &'static [&'static str],
}

/// Defines the policy, the format of policy files and the table of questions from one list of keys. The first list
/// of a key contains the rules whose level it decides: either its answer is their level, or they become required if
/// a user chooses the answer. The second list contains other rules that use the answer.
macro_rules! policy {
    ($($key:ident: $answer:ty, $asks:literal, [$($rule:literal),*] $(and [$($also:literal),*])?;)*) => {
        /// The answers to disputed questions, with reasons.
        ///
        /// # Examples
        ///
        /// ```
        /// let policy = upfault::Policy::known("rfc9110")?;
        /// assert_eq!(policy.name, "rfc9110");
        /// assert_eq!(upfault::Policy::default().name, "default");
        /// # Ok::<(), upfault::UnknownPolicy>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(test, derive(JsonSchema))]
        #[serde(default)]
        pub struct Policy {
            /// The name in reports.
            pub name: String,
            $(#[doc = $asks] pub $key: PolicyRuling<$answer>,)*
            /// Rules with another level than in the contract.
            pub levels: IndexMap<RuleName, PolicyRuling<Weight>>,
            /// Keys from a user's file. The rules that they decide are required, unless the answer is a level itself
            /// or `levels` contains the rule.
            pub enforced: Vec<String>,
        }

        /// The contents of a policy file: changes to the policy that it extends. `Name` is the type of that
        /// policy's name, which can include its position in the file.
        #[derive(Debug, Clone, PartialEq, Deserialize)]
        #[cfg_attr(test, derive(JsonSchema))]
        #[serde(deny_unknown_fields)]
        #[cfg_attr(test, schemars(rename = "PolicyEdits"))]
        pub(crate) struct PolicyEdits<Name> {
            /// The name in reports.
            pub(super) name: Option<String>,
            /// The bundled policy that supplies the other answers. Default: `default`.
            pub(super) extends: Option<Name>,
            $(#[doc = $asks] $key: Option<PolicyRuling<$answer>>,)*
            /// Rules with another level than in the contract.
            #[serde(default)]
            levels: IndexMap<RuleName, PolicyRuling<Weight>>,
        }

        impl<Name> PolicyEdits<Name> {
            /// A policy that does not extend another one. If a key is missing, returns it as the error.
            pub(super) fn complete(self, name: &str) -> Result<Policy, &'static str> {
                Ok(Policy {
                    name: name.to_owned(),
                    $($key: self.$key.ok_or(stringify!($key))?,)*
                    levels: self.levels,
                    enforced: Vec::new(),
                })
            }

            /// `base` with these changes.
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

            /// `base` with these changes from a user's file, which are enforced.
            pub(super) fn enforced_on(self, base: Policy) -> Policy {
                let mut enforced = Vec::new();
                $(if self.$key.is_some() {
                    enforced.push(stringify!($key).to_owned());
                })*
                Policy { enforced, ..self.applied_to(base) }
            }

            /// The paths of answers without a reason: `timeout`, or `levels`, `status.timeout`.
            pub(crate) fn without_reason(&self) -> Vec<Vec<&str>> {
                let mut paths: Vec<Vec<&str>> = Vec::new();
                $(if self.$key.as_ref().is_some_and(PolicyRuling::is_unreasoned) {
                    paths.push(vec![stringify!($key)]);
                })*
                let levels = self.levels.iter().filter(|(_, ruling)| ruling.is_unreasoned());
                paths.extend(levels.map(|(rule, _)| vec!["levels", rule.0.as_str()]));
                paths
            }
        }

        impl Policy {
            /// The disputed questions, in the order of the keys.
            pub const QUESTIONS: &[PolicyQuestion] = &[
                $(PolicyQuestion {
                    key: stringify!($key),
                    asks: $asks,
                    decides: &[$($rule),*],
                    rules: &[$($rule,)* $($($also,)*)?],
                    possible: <$answer as PossibleAnswers>::POSSIBLE,
                },)*
            ];

            /// All questions with the answer as text and the reason.
            pub fn rows(&self) -> Vec<(&'static PolicyQuestion, String, &str)> {
                let rulings = [$((self.$key.answer.to_string(), self.$key.reason.as_str()),)*];
                let rows = Self::QUESTIONS.iter().zip(rulings);
                rows.map(|(question, (answer, reason))| (question, answer, reason)).collect()
            }

            /// The level of a rule under this policy, if it differs from the contract.
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

            /// This policy with the default answer to one question.
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
    credentials: StatusSet, "Which status reports that the upstream rejects the proxy's own key (401, 403)?",
        ["status.credentials"];
    credentials_apart: Weight, "Does the proxy keep a 401 and a 403 of the upstream apart, if it passes on one of them?",
        ["status.credentials-apart"];
    timeout: StatusSet, "Which status reports that the upstream does not answer in time?",
        ["status.timeout"] and ["status.unreachable", "status.class-kept"];
    overloaded: StatusSet, "Which status reports that the upstream is overloaded (503, 529)?", ["status.overloaded"];
    rate_limit: StatusSet, "Which status reports that the upstream limits a key that callers share (429)?",
        ["status.rate-limit"] and ["cooldown.status"];
    retry_after: Weight, "Does the proxy pass on Retry-After unchanged?", ["headers.retry-after"];
    unreachable: StatusSet, "Which status reports that the upstream cannot be reached?",
        ["status.unreachable"] and ["status.timeout"];
    after_error: AfterError, "Does `[DONE]` follow the error event of a stream?", ["stream.one-error-event"];
    clean_end: CleanEnd, "Is a stream that ends properly without a finish reason a failure?",
        ["stream.no-forged-success", "stream.error-visible"];
    hold_back: Weight, "Does the proxy send the 200 of a stream only after the upstream has started its response?",
        ["stream.error-status"] and ["sibling.stream-status"];
    chain_error: ChainError, "Which error does the proxy report when the whole chain fails?", ["fallback.true-error"];
    fallback_on: StatusSet, "After which statuses must the proxy try the next deployment of a chain?",
        ["fallback.used", "fallback.only-when-needed"];
    no_fallback_on: OptionalStatusSet,
        "After which statuses, other than those in `fallback_on`, must the proxy not try the next deployment?",
        ["fallback.only-when-needed"];
    error_code: Weight, "Does the proxy keep the provider's error code?", ["detail.code-kept"];
    limit_code: Weight, "Does the proxy keep the code of OpenAI's 429, which says whether waiting helps?",
        ["detail.limit-code-kept"];
    error_type: Weight, "Does the proxy keep the provider's error type?", ["detail.type-kept"];
    request_message: Weight, "Does the proxy pass on the provider's message of a 4xx?",
        ["detail.message-kept"] and ["fallback.true-error"];
    server_message: Weight, "Does the proxy pass on the provider's message of a 5xx?",
        ["detail.server-message-kept"] and ["fallback.true-error"];
    stream_message: Weight, "Does the proxy pass on the provider's message of an error inside a stream?",
        ["stream.error-detail"] and ["fallback.true-error"];
    quota: StatusSet, "Which status reports an exhausted quota for which the provider sent a 400?", ["status.mirrored"];
    client_gone: Weight, "Does the proxy cancel the upstream request when the caller of a plain response leaves (for a stream it must)?",
        ["disconnect.plain-let-go"];
    mirrored: Weight, "May the proxy pass on unchanged what a provider wrote in a form that breaks a rule?",
        [] and ["format.envelope", "format.content-type", "format.content-coding", "format.stream-content-type",
            "success.delivered", "success.terminated", "status.failure-not-success", "status.broken-reply",
            "stream.error-visible", "realtime.error-visible", "realtime.close-told"];
    cut_body: Weight, "Does the proxy read a plain response to its end before it sends the status?", ["status.cut-body"];
}

impl Policy {
    /// The questions whose answers a rule uses.
    pub fn questions_of(rule: &str) -> impl Iterator<Item = &'static PolicyQuestion> {
        Self::QUESTIONS.iter().filter(move |question| question.rules.contains(&rule))
    }

    /// Whether the answer to `mirrored` limits the level of a finding about this rule.
    pub(in crate::judge) fn uses_mirrored(&self, rule: &str) -> bool {
        Self::questions_of(rule).any(|question| question.key == "mirrored")
    }

    fn enforces(&self, key: &str) -> bool {
        self.enforced.iter().any(|enforced| enforced == key)
    }

    /// The answers that a rule uses and that differ from the default policy, each with its reason and the policy
    /// without this answer.
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

    /// The name, and the differences from the bundled policy with this name: `default, with timeout = 504`.
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
        let own = |(rule, ruling): &(&RuleName, &PolicyRuling<Weight>)| {
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
