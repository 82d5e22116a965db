//! The embedded proxy: a reference that behaves correctly, or the same with one named defect.
//!
//! It passes requests of every dialect through to providers that offer the dialect, and translates between
//! OpenAI's chat completions and Anthropic's messages (`translate`). `dialect` contains what it must know
//! about each dialect.
//!
//! A request takes this path: `server` accepts the connection, `handler` handles the request, `incoming`
//! reads it, `chain` tries the route and its fallbacks, `attempt` sends one request to one upstream, and
//! `relay` passes a stream on. These modules do the I/O, except `incoming`. Small pure modules decide:
//! `incoming`, `upstream_request`, `classify`, `envelope`, `headers`, `retry`, `cooldown`, `stream`.
//!
//! Three kinds of requests take another path: `passed_body` serves pass-through routes, `pinged_stream`
//! starts a stream with pings before the upstream has answered, and `session` relays a WebSocket session.
//!
//! These modules apply the defects:
//!
//! - `rules`: timeouts, retries, fallbacks and cooldowns of an instance
//! - `tamper`: headers and bodies of responses, and failures before they are written
//! - `tamper_stream`, `tamper_session`: the pieces of a stream, and the events and the end of a session
//! - `defect_memory`, `concurrent_requests`: defects that need more than one request
//! - `retry_after_leave`: what happens after a caller has left
//! - `process_stop`: defects that end or block the process; `own_process` runs the proxy in a separate one
//!
//! `incoming`, `passed_body` and `pinged_stream` apply a few defects themselves.

mod attempt;
mod chain;
mod classify;
mod concurrent_requests;
mod cooldown;
mod defect;
mod defect_memory;
mod dialect;
mod envelope;
mod failure;
mod handler;
mod headers;
mod incoming;
mod own_process;
mod passed_body;
mod pinged_stream;
mod process_stop;
mod relay;
mod retry;
mod retry_after_leave;
mod rules;
mod secrets;
mod server;
mod session;
mod stream;
mod tamper;
mod tamper_session;
mod tamper_stream;
mod tasks;
mod translate;
mod upstream_request;

#[cfg(test)]
mod tests;

pub use defect::Defect;
pub use dialect::lacks;
pub(crate) use own_process::OwnProcess;
pub(crate) use passed_body::pass_through_path;
pub(crate) use server::Builtin;
