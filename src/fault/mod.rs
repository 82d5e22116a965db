//! Compiles faults into a printable plan of timed wire actions. Pure: it performs no I/O.

mod chunks;
mod coding;
mod compile;
mod content_marks;
mod http1;
mod latency;
mod malform;
mod origin;
mod outline;
mod packets;
mod plan;
mod settle;
mod stream;
mod timeline;

pub(crate) use compile::{FaultContext, compile, plan, without_faults};
pub(crate) use origin::Origin;
pub(crate) use outline::ReplyOutline;
pub(crate) use plan::{Framing, Head, Plan, WireAction};

#[cfg(test)]
mod tests;
