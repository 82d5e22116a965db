//! How a WebSocket session ends by its own means.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::point::Point;

/// A close frame (RFC 6455 section 5.5.1), and a FIN behind it once the other side has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseFrame {
    /// A code that may stand in a frame: 1000 to 1003, 1007 to 1014, 3000 to 4999. Left out, the frame
    /// is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// At most 80 bytes before its placeholders are filled in.
    #[serde(default = "planted", skip_serializing_if = "is_planted")]
    pub reason: String,
    /// What is still sent before it.
    pub at: Point,
}

impl CloseFrame {
    /// Whether a code may stand in a frame (RFC 6455 section 7.4).
    pub fn may_be_sent(code: u16) -> bool {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
    }
}

fn planted() -> String {
    "Session over ({{canary.message}})".to_owned()
}

fn is_planted(reason: &String) -> bool {
    *reason == planted()
}
