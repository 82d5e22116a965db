//! The embedded proxy: the honest reference of correct behaviour, or that with one named defect.
//!
//! It passes every dialect through to the providers that speak it (`dialect` holds what it must know
//! of each), and translates between two of them (`translate`).
//!
//! What to do is decided in small pure files (`incoming`, `ask`, `classify`, `envelope`, `headers`,
//! `retry`, `cooldown`, `split`, `stream`); `attempt`, `chain`, `relay` and `server` do the I/O. A
//! defect changes what has been decided at one of three hooks: the rules of the instance (`rules`), a
//! failure before it is written (`tamper`), a piece of a stream before it is sent (`tamper_stream`).
//! What is done for callers that have left is in `linger`, what is carried over from one request to another
//! in `between`; `passing` hands requests on as they are, and `early` begins a stream with pings before there
//! is an answer. A session over a WebSocket begins like any other request and is then relayed (`session`,
//! `tamper_session`).

mod upstream_request;
mod attempt;
mod defect_memory;
mod chain;
mod classify;
mod cooldown;
mod defect;
mod dialect;
mod pinged_stream;
mod envelope;
mod failure;
mod handler;
mod headers;
mod incoming;
mod retry_after_leave;
mod concurrent_requests;
mod mortal;
mod multipart;
mod own_process;
mod passed_body;
mod relay;
mod retry;
mod rules;
mod secrets;
mod server;
mod session;
mod split;
mod stream;
mod tamper;
mod tamper_session;
mod tamper_stream;
mod tasks;
mod translate;

#[cfg(test)]
mod tests;

pub use defect::{Defect, UnknownDefect};
pub use dialect::lacks;
pub use own_process::OwnProcess;
pub use passed_body::pass_through_path;
pub use server::Builtin;
