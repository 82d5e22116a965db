//! The state of a Responses stream that the proxy's own last events continue: the numbers of its events, and its response.

use bytes::Bytes;
use serde_json::{Value, json};

use super::DialectError;
use crate::wire::sse;

/// What has been sent of a stream whose events have numbers. Empty for streams of other dialects.
#[derive(Debug, Default)]
pub(crate) struct TypedStream {
    /// The number of the next event.
    next: u64,
    /// The response object as the last event with one contained it.
    response: Option<Value>,
}

impl TypedStream {
    /// Takes note of an event that reaches the caller.
    pub(crate) fn passed(&mut self, data: &str) {
        let Ok(mut event) = serde_json::from_str::<Value>(data) else { return };
        self.next = event["sequence_number"].as_u64().unwrap_or(self.next).saturating_add(1);
        if event["response"].is_object() {
            self.response = Some(event["response"].take());
        }
    }

    /// The events that report an error and end the stream: `error` in the nested form, as in recorded streams, and
    /// `response.failed`.
    pub(super) fn error(&self, error: &DialectError) -> Bytes {
        let data = json!({"type": "error", "sequence_number": self.next, "error": error.error});
        let event = sse::encode(Some("error"), &data.to_string());
        [event, self.failed_as(error, self.next.saturating_add(1))].concat().into()
    }

    /// The event `response.failed`, which ends the stream after an error event that was passed on.
    pub(crate) fn failed(&self, error: &DialectError) -> Bytes {
        self.failed_as(error, self.next).into()
    }

    fn failed_as(&self, error: &DialectError, number: u64) -> String {
        let none = json!({
            "id": "resp_0", "object": "response", "created_at": 0, "incomplete_details": null, "model": "unknown", "output": [],
        });
        let mut response = self.response.clone().unwrap_or(none);
        let members = &error.error;
        let code = ["code", "type"].into_iter().find_map(|name| members.get(name)?.as_str());
        response["status"] = json!("failed");
        response["error"] = json!({"code": code.unwrap_or("server_error"), "message": error.message()});
        let data = json!({"type": "response.failed", "sequence_number": number, "response": response});
        sse::encode(Some("response.failed"), &data.to_string())
    }
}
