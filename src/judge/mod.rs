//! Contract, policy, rules, findings, verdict: pure functions over data.

mod chat;
mod contract;
mod facts;
mod fate;
mod finding;
mod policy;
mod rule;
mod rules;
mod told;

#[cfg(test)]
mod tests;

pub use chat::{ChatEvent, Completion, ErrorObject};
pub use contract::{applicable, has_required, has_timing, judge, rule, rules};
pub use facts::Facts;
pub use fate::Fate;
pub use finding::{Finding, Verdict};
pub use policy::Policy;
pub use rule::{Breach, Outcome, Rule};
pub use told::{StreamTold, Told};
