//! Traffic to a mock that did not become an attempt.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A connection or a request to a mock that could not be answered as an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Stray {
    /// The time of the end, in milliseconds since the mock was started.
    pub at_ms: f64,
    /// The kind of traffic.
    pub what: StrayKind,
    /// The number of bytes that the mock read for it, not counting those of TLS.
    pub bytes: u64,
    /// The status of the response; `None` if the connection was closed without one.
    pub status: Option<u16>,
    /// The case and the deployment, if the path or the port identifies them.
    pub deployment: Option<(String, String)>,
}

/// The kind of traffic that arrived instead of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StrayKind {
    /// Bytes that are not HTTP, HTTP that is not valid, or a head above the size limit.
    Garbage,
    /// A request that ended before its headers were complete.
    HalfHead,
    /// A request that ended before its body was complete.
    HalfBody,
    /// An incomplete TLS handshake.
    NoHandshake,
    /// A request for an unknown path.
    UnknownPath,
}
