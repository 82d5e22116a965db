//! The judge: rules, policies, findings and verdicts. Pure functions over observations.

mod comparison;
mod by_policy;
mod contract;
mod dialect;
mod facts;
mod attempt_outcome;
mod finding;
mod pair;
mod policy;
mod retry_after;
mod rule;
mod rules;
mod sdk;
mod session;
mod caller_response;
mod trace;

#[cfg(test)]
pub(crate) mod tests;

pub use attempt_outcome::AttemptOutcome;
pub use by_policy::{ComparedSibling, Judgement, PolicyEffect, judge_by};
pub use caller_response::{CallerResponse, CallerStream};
pub use comparison::{applicable_to_siblings, compare_siblings, judge_with_siblings, kin_of};
pub use contract::{applicable, has_required, has_timing, judge, rule, rules, stops_the_proxy};
pub use dialect::{Completion, ErrorObject, StreamEvent, Vocabulary};
pub use facts::Facts;
pub use finding::{Finding, Verdict};
pub use pair::SiblingPair;
pub use policy::{
    AfterError, ChainError, CleanEnd, OptionalStatusSet, Policy, PolicyAnswer, PolicyEdits, PolicyQuestion,
    PolicyRuling, RuleName, UnknownPolicy, Weight,
};
pub use rule::{Rule, RuleBreach, RuleOutcome, SiblingRule};
pub use sdk::{Retry, RetryReason, Sdk, SdkOutcome, SdkView, StepView, Wait, sdk_view};
pub use trace::{DetailFate, ErrorOrigin, ErrorSource, Evidence, TracedDetail, origins};
