//! The formats of bodies (encoders and decoders of streams, a reader of forms), and what headers and hosts mean on the way.

pub(crate) mod content_coding;
pub(crate) mod eventstream;
mod frame;
pub(crate) mod frames;
pub(crate) mod hop;
pub(crate) mod inert;
pub(crate) mod loopback;
pub(crate) mod multipart;
mod split;
pub(crate) mod sse;
pub(crate) mod websocket;
