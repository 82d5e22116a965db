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
//! An [`Extension`](extension::Extension) can change what the proxy does. The only extensions are the defects, in
//! `defects`, and the honest variants, in `variants`; `embedded_proxy` selects one, and `own_process` runs the proxy in a
//! process that a defect may stop.

mod attempt;
mod chain;
mod classify;
mod cooldown;
mod defects;
mod dialect;
mod embedded_proxy;
mod envelope;
mod extension;
mod failure;
mod handler;
mod headers;
mod incoming;
mod own_process;
mod passed_body;
mod pinged_stream;
mod relay;
mod reply;
mod retry;
mod secrets;
mod server;
mod session;
mod shared;
mod stream;
mod tasks;
mod translate;
mod decoded_body;
mod upstream_request;
mod variants;

#[cfg(test)]
mod tests;

pub use defects::Defect;
pub use embedded_proxy::EmbeddedProxy;
pub(crate) use own_process::OwnProcess;
pub(crate) use passed_body::pass_through_path;
pub(crate) use server::Builtin;
pub use variants::HonestVariant;
