//! Policies: answers to the questions on which proxies disagree, one key per question.

mod answer;
mod bundled;
mod keys;

pub use answer::{
    AfterError, ChainError, CleanEnd, OptionalStatusSet, PolicyAnswer, PolicyRuling, RuleName, Weight,
};
pub use bundled::UnknownPolicy;
pub use keys::{Policy, PolicyEdits, PolicyQuestion};
