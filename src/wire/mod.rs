//! Bytes to frames and back: what the dialects are carried in.

pub mod eventstream;
pub mod frames;
pub mod sse;
pub mod websocket;
