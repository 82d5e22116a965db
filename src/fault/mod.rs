//! Fault specs become a printable plan of timed wire actions. Pure.

mod compile;
mod plan;
mod timeline;

pub use compile::{Context, compile, plan, unharmed};
pub use plan::{Framing, Head, Plan, WireAction};
