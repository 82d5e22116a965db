//! Contract, policy, rules, findings, verdict: pure functions over data.

mod beside;
mod by_policy;
mod contract;
mod dialect;
mod facts;
mod fate;
mod finding;
mod pair;
mod policy;
mod retry_after;
mod rule;
mod rules;
mod sdk;
mod session;
mod told;
mod trace;

#[cfg(test)]
pub(crate) mod tests;

pub use beside::{applicable_beside, compare_siblings, judge_beside, kin_of};
pub use by_policy::{ComparedSibling, Judgement, PolicyEffect, judge_by};
pub use contract::{applicable, has_required, has_timing, judge, rule, rules, stops_the_proxy};
pub use dialect::{Completion, ErrorObject, Family, StreamEvent};
pub use facts::Facts;
pub use fate::Fate;
pub use finding::{Finding, Verdict};
pub use pair::Pair;
pub use policy::{
    AfterError, ChainError, CleanEnd, Policy, PolicyAnswer, PolicyEdits, Question, RuleName, Ruling,
    StatusesOrNone, UnknownPolicy, Weight,
};
pub use rule::{Breach, Outcome, Rule, SiblingRule};
pub use sdk::{Retry, RetryReason, Sdk, SdkOutcome, SdkView, StepView, Wait, sdk_view};
pub use told::{StreamTold, Told};
pub use trace::{DetailFate, ErrorOrigin, Evidence, Maker, Traced, origins};
