//! Policies: answers to the questions on which proxies disagree, one key per question.

mod answer;
mod bundled;
mod keys;

pub use answer::PolicyAnswer;
pub(crate) use answer::{AfterError, ChainError, CleanEnd, Weight};
pub use bundled::UnknownPolicy;
pub use keys::Policy;
pub(crate) use keys::PolicyEdits;
