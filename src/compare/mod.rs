//! Compares runs of the same cases: what differs for callers, and for which causes. Pure.

mod case;
mod cause;
mod change;
mod comparison;
mod fact;
mod gather;
mod scope;
mod wording;

#[cfg(test)]
mod tests;

pub(crate) use case::{CaseState, ComparedAs, ComparedCase};
pub(crate) use cause::{CauseGroup, ChangeCause, SdkChange};
pub(crate) use comparison::{ComparedRun, ComparedSide, Comparison, ComparisonStep};
pub use fact::{CaseFact, CaseFacts, ExchangeFacts, FactKind};
