//! Fault specs and a seed become a printable plan of timed wire actions. Pure.

mod plan;

pub use plan::{Framing, Head, Plan, WireAction};
