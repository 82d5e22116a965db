//! Encoders and decoders of the stream formats that the dialects use.

pub(crate) mod eventstream;
pub(crate) mod frames;
pub(crate) mod hop;
pub(crate) mod sse;
pub(crate) mod websocket;
