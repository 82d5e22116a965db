//! Bytes to frames and back: what the dialects are carried in.

pub mod frames;
pub mod sse;
