//! Contract, policy, rules, findings, verdict: pure functions over data.

mod finding;

pub use finding::{Finding, Verdict};
