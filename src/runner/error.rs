//! Why a run could not be made.

use crate::{builtin::Defect, client::ClientError, proxy::ProxyError, snapshot::StoreError};

/// Why a run could not be made, or not be finished.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The proxy could not be installed or started.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// A plain request does not come through the proxy.
    #[error("a plain request does not come through {proxy}: {told}\n{tail}help: {help}")]
    Control {
        /// Name and version.
        proxy: String,
        /// What came back instead of the mock's answer.
        told: String,
        /// The end of its log, each line with a line feed.
        tail: String,
        /// What to do.
        help: String,
    },
    /// The embedded proxy could not be started.
    #[error("cannot start the embedded proxy{}: {source}", .defect.map(|d| format!(" ({d})")).unwrap_or_default())]
    Builtin {
        /// With which defect.
        defect: Option<Defect>,
        /// What the system says.
        source: std::io::Error,
    },
    /// The mock upstreams could not be started.
    #[error("cannot start the mock upstreams on a loopback port: {0}")]
    Upstream(std::io::Error),
    /// The certificates for upstreams reached by TLS could not be made.
    #[error("cannot make the certificates of the mock upstreams: {0}")]
    Authority(std::io::Error),
    /// A file that a proxy needs could not be written.
    #[error("cannot write {path}: {source}\nhelp: is the folder ours to write in, and is there room?")]
    WorkDir {
        /// Where it should be.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The driver could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An accepted snapshot cannot be read, or a pending one not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The proxy stopped serving in mid-run and was not started again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Died {
    /// `litellm 1.102.4 was killed by signal 9`
    pub how: String,
    /// Why it was not started again.
    pub why: String,
    /// The end of its log.
    pub tail: String,
    /// Where all of it is, if it has one that we know.
    pub log: Option<String>,
}
