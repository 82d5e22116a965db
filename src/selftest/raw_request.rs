//! What the raw client sends, and how long it waits.

use std::time::Duration;

use url::Url;

use super::{call::ClientRequest, tls::TrustedCertificates};
use crate::scenario::Transport;

/// A time limit that is longer than any reply takes.
pub(super) const LONG: Duration = Duration::from_secs(5);

/// After this silence no more bytes are expected.
pub(super) const QUIET: Duration = Duration::from_millis(300);

/// A request, its destination, and what the client waits for.
#[derive(Debug, Clone)]
pub(super) struct RawRequest<'a> {
    /// The URL.
    pub url: &'a Url,
    /// The transport.
    pub transport: Transport,
    /// The request.
    pub call: &'a ClientRequest,
    /// The API key.
    pub key: &'a str,
    /// The trusted certificates.
    pub trust: &'a TrustedCertificates,
    /// Whether the connection should stay open. Then silence ends the observation.
    pub stays_open: bool,
    /// Whether the connection should be established.
    pub connects: bool,
    /// The total wait that the faults cause.
    pub waits: Duration,
    /// Whether the client sends a second request on the connection.
    pub asks_again: bool,
}

impl RawRequest<'_> {
    /// Returns the time without a byte after which the observation ends.
    pub(super) fn quiet(&self) -> Duration {
        self.waits + if self.stays_open { QUIET } else { LONG }
    }

    pub(super) fn connect_within(&self) -> Duration {
        if self.connects { LONG } else { 2 * QUIET }
    }
}

/// Returns `127.0.0.1:PORT`, as in the URL.
pub(super) fn authority(url: &Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}

/// Returns the path with the query.
pub(super) fn target(url: &Url) -> &str {
    &url[url::Position::BeforePath..url::Position::AfterQuery]
}
