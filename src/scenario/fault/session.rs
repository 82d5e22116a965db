//! The close frame that ends a WebSocket session.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::point::Point;

/// A WebSocket close frame (RFC 6455 section 5.5.1). After the proxy has answered it, the upstream sends a FIN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CloseFrame {
    /// The status code: 1000 to 1003, 1007 to 1014, or 3000 to 4999. Default: an empty frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The reason, at most 80 bytes before its placeholders are filled in. Default: a text that contains
    /// `{{canary.message}}`.
    #[serde(default = "default_reason", skip_serializing_if = "is_default_reason")]
    pub reason: String,
    /// The point of the session up to which the upstream sends its events.
    pub at: Point,
}

impl CloseFrame {
    /// Whether a close frame may contain this code (RFC 6455 section 7.4).
    pub fn may_be_sent(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

fn default_reason() -> String {
    "Session over ({{canary.message}})".to_owned()
}

fn is_default_reason(reason: &String) -> bool {
    *reason == default_reason()
}
