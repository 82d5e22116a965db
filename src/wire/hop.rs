//! The headers of one connection.

/// The headers, in lower case, that apply to one connection only (RFC 9110 sections 7.6.1 and 11.7). `Connection` can
/// list others.
pub(crate) const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
