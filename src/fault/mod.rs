//! Fault specs become a printable plan of timed wire actions. Pure.

mod compile;
mod origin;
mod plan;
mod timeline;

pub use compile::{Context, compile, plan};
pub use origin::Origin;
pub use plan::{Framing, Head, Plan, WireAction};
