//! The behaviours of the fake proxy.

use std::str::FromStr;

use serde::{
    Deserialize,
    de::{IntoDeserializer, value},
};

/// The length of the body in `Mode::Huge`.
pub(super) const HUGE: usize = 100 << 20;

/// The name of a mode is the variant in lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Behaves correctly.
    Honest,
    /// Exits immediately.
    Exit,
    /// Never listens.
    Deaf,
    /// Answers the readiness check with 503.
    Unready,
    /// Writes to its log without end.
    Flood,
    /// Kills itself with SIGKILL when it gets a request on a route with three retries.
    Kill,
    /// Like `Kill`, and does not start a second time.
    Once,
    /// Responds with 500 to every other 429 of the provider, counted over all runs.
    Flap,
    /// Responds only to control requests.
    Hang,
    /// Responds with bytes that are not HTTP. Like the next four, it does so to all but control requests.
    Garbage,
    /// Responds with a body of 100 MB.
    Huge,
    /// Responds with a body that is not valid UTF-8.
    Undecodable,
    /// Announces a longer body than it sends.
    Overlong,
    /// Announces a shorter body than it sends.
    Underlong,
    /// Sends and logs its keys if the provider answers 401.
    Leaky,
    /// Ignores SIGTERM, and so does its child.
    Stubborn,
}

impl FromStr for Mode {
    type Err = value::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::deserialize(name.into_deserializer())
    }
}

impl Mode {
    /// The raw bytes with which it responds to a case instead of a valid response. In mode `Huge`, `HUGE` spaces
    /// follow.
    pub(super) fn invalid_response(self) -> Option<Vec<u8>> {
        let ok = |length: usize, body: &[u8]| {
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
            );
            [head.as_bytes(), body].concat()
        };
        Some(match self {
            Self::Garbage => b"\x00\xff not HTTP at all \x80\r\n\r\n".to_vec(),
            Self::Huge => ok(HUGE, b""),
            Self::Undecodable => ok(9, b"{\"\xff\xfe\": 1}"),
            Self::Overlong => ok(1000, b"{\"choices\": ["),
            Self::Underlong => ok(5, b"{\"choices\": []}"),
            _ => return None,
        })
    }
}
