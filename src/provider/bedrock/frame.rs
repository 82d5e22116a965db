//! The messages of Bedrock's event streams.

use bytes::Bytes;
use serde_json::Value;

use crate::wire::eventstream::encode;

pub(super) const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// An event with a JSON payload.
pub(super) fn event(name: &str, payload: &Value) -> Bytes {
    json("event", ":event-type", name, payload)
}

/// An exception that the operation declares; it ends the stream.
pub(super) fn exception(name: &str, payload: &Value) -> Bytes {
    json("exception", ":exception-type", name, payload)
}

/// An error of the service itself, which no operation declares.
pub(super) fn error(code: &str, message: &str) -> Bytes {
    let headers = [(":error-code", code), (":error-message", message), (":message-type", "error")];
    written(&headers, b"")
}

fn json(message_type: &str, name_header: &str, name: &str, payload: &Value) -> Bytes {
    let headers =
        [(name_header, name), (":content-type", "application/json"), (":message-type", message_type)];
    written(&headers, payload.to_string().as_bytes())
}

fn written(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    // The catalogue's texts and the canaries are far below every limit of the format, so encoding does not fail.
    encode(headers, payload).unwrap_or_default()
}

/// Bedrock pads events so that their length does not reveal their content.
pub(super) const PADDING: &str = "abcdefghijklm";
