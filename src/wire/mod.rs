//! Encoders and decoders of the stream formats that the dialects use.

pub mod eventstream;
pub mod frames;
pub mod sse;
pub mod websocket;
