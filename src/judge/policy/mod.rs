//! The chosen answers to the questions on which the field disagrees: data, one key for each question.

mod answer;
mod bundled;
mod keys;

pub use answer::{AfterError, ChainError, CleanEnd, PolicyAnswer, RuleName, Ruling, StatusesOrNone, Weight};
pub use bundled::UnknownPolicy;
pub use keys::{Policy, PolicyEdits, Question};
