//! How each dialect speaks: success, error catalogue, streams, headers, auth.
//!
//! Everything here is pure: from a request and the canaries of an attempt to the bytes that the
//! provider would send, before any fault.

mod message;
mod canned;
mod catalogue;
mod dialect;
mod openai;
mod openai_errors;

pub use canned::{fill, literal};
pub use catalogue::{Confidence, ErrorForm, ErrorRow, Limits};
pub use dialect::{
    MAX_REQUEST_BYTES, admit, base_path, catalogue_row, content_pieces, error, error_event, malformed,
    message, reply, route, too_large, tool_argument_pieces,
};
pub use message::{Message, MessageBody};
