//! The embedded proxy: the honest reference of correct behaviour, or that with one named defect.
//!
//! What to do is decided in small pure files (`classify`, `envelope`, `headers`, `retry`,
//! `cooldown`, `stream`); `attempt`, `chain`, `relay` and `server` do the I/O. A defect changes what
//! has been decided at one of three hooks: the rules of the instance (`rules`), a failure before
//! it is written (`tamper`), a piece of a stream before it is sent (`tamper_stream`).

mod attempt;
mod chain;
mod classify;
mod cooldown;
mod defect;
mod envelope;
mod failure;
mod handler;
mod headers;
mod relay;
mod retry;
mod rules;
mod server;
mod stream;
mod tamper;
mod tamper_stream;

#[cfg(test)]
mod tests;

pub use defect::{Defect, UnknownDefect};
pub use server::Builtin;
