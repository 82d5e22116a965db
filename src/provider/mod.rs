//! How each dialect speaks: success, error catalogue, streams, headers, auth.

mod message;

pub use message::{Message, MessageBody};
