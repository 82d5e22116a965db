//! The judge: rules, policies, findings and verdicts. Pure functions over observations.

mod comparison;
mod by_policy;
mod contract;
mod facts;
mod attempt_outcome;
mod finding;
mod mirrored;
mod pair;
mod policy;
mod retry_after;
mod rule;
mod rules;
mod scope;
mod sdk;
mod session;
mod caller_response;
mod trace;

#[cfg(test)]
pub(crate) mod tests;

#[cfg(test)]
pub(crate) use attempt_outcome::AttemptOutcome;
pub(crate) use by_policy::{ComparedSibling, Judgement, PolicyEffect, judge_by};
pub(crate) use caller_response::{CallerResponse, CallerStream};
#[cfg(test)]
pub(crate) use contract::judge;
pub use contract::{applicable, can_apply, has_required, rule, rules};
pub(crate) use contract::{has_timing, kin_of, stops_the_proxy};
pub(crate) use facts::Facts;
pub use finding::{Finding, Verdict};
pub use policy::{Policy, PolicyAnswer, UnknownPolicy};
pub(crate) use policy::{PolicyEdits, Weight};
pub use rule::Rule;
#[cfg(test)]
pub(crate) use rules::SAME_FACTS;
#[cfg(test)]
pub(crate) use sdk::{Sdk, SdkOutcome};
pub(crate) use sdk::{SdkView, StepView, sdk_view};
pub(crate) use session::CallerSession;
pub(crate) use trace::ErrorOrigin;
#[cfg(test)]
pub(crate) use trace::Evidence;
pub use trace::{DetailFate, ErrorSource, TracedDetail, origins};
