//! Warnings about scenarios that load and make no sense.

mod context;
mod contradiction;
mod duplicate;
mod points;
mod turns;
mod unserved;
mod warning;

pub(super) use context::LintContext;
pub(super) use warning::{WARNINGS, warnings};
