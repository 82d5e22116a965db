//! A visit to a mock that became no attempt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A client that came to a mock and asked for nothing that could be answered as an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stray {
    /// Milliseconds since the mock was started, at the end of the visit.
    pub at_ms: f64,
    /// What came.
    pub what: StrayKind,
    /// Bytes that were read on the connection for it, TLS not counted.
    pub bytes: u64,
    /// The status that it got; `None` where the connection was closed without one.
    pub status: Option<u16>,
    /// The case and the deployment, where the path or the port told.
    pub deployment: Option<(String, String)>,
}

/// What came in place of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StrayKind {
    /// Bytes that are no HTTP, or HTTP that breaks its rules or is larger than a head may be.
    Garbage,
    /// A request that broke off before its headers were complete.
    HalfHead,
    /// A request that broke off inside its body.
    HalfBody,
    /// A TLS handshake that was not completed.
    NoHandshake,
    /// A request under a path that belongs to nobody.
    UnknownPath,
}
