//! Errors of runs.

use crate::{builtin::EmbeddedProxy, client::ClientError, proxy::ProxyError, snapshot::StoreError};

/// Why a run could not start or finish.
///
/// # Examples
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let proxy = folder.path().join("broken");
/// # std::fs::create_dir(&proxy)?;
/// # let text = "name: broken\napis: {openai/chat: [openai]}\nsettings: {timeout: route, retries: route}\nlaunch: {command: [no-such-program]}\nready: {get: /}\n";
/// # std::fs::write(proxy.join("proxy.yaml"), text)?;
/// # let spec = proxy.display().to_string();
/// let cases = upfault::Library::bundled().cases().into_iter().filter(|case| case.id == "limits/rate-limit");
/// let error = upfault::Suite::new(cases).proxy(&spec)?.run().await.unwrap_err();
/// assert!(matches!(error, upfault::RunError::Proxy(_)), "{error}");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The proxy could not be installed or started.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// A simple request through the proxy fails.
    #[error("a simple request through {proxy} fails: {got}\n{tail}help: {help}")]
    Control {
        /// Name and version.
        proxy: String,
        /// The response instead of the mock's.
        got: String,
        /// The last lines of its log, each with a newline.
        tail: String,
        /// The next step.
        help: String,
    },
    /// The embedded proxy could not be started.
    #[error("cannot start the embedded proxy{}: {source}", .which.name().map(|name| format!(" ({name})")).unwrap_or_default())]
    Builtin {
        /// Which embedded proxy.
        which: EmbeddedProxy,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The mock upstreams cannot listen on the address that the user or the configuration of a running proxy names.
    #[error(
        "the mock providers cannot listen on {address}: {source}\nhelp: if another run uses this address, wait for it; \
         otherwise choose another one with `--listen` (for a running proxy, with `upfault proxy render --listen`)"
    )]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The mock upstreams could not be started.
    #[error("cannot start the mock providers on a loopback port: {0}")]
    Upstream(std::io::Error),
    /// The certificates for upstreams with TLS could not be created.
    #[error("cannot create the certificates of the mock providers: {0}")]
    Authority(std::io::Error),
    /// A file that a proxy needs could not be written.
    #[error(
        "cannot write {path}: {source}\nhelp: check the permissions of the folder and the free disk space"
    )]
    WorkDir {
        /// The file.
        path: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The HTTP client could not be created.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The proxy stopped serving before every case had a verdict.
    #[error("{} before every case had a verdict, and was not restarted: {}\n{}", .0.how, .0.why, .0.tail)]
    Gone(ProxyGone),
    /// A snapshot cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The proxy stopped serving during the run and was not restarted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyGone {
    /// `litellm 1.102.4 was killed by signal 9`
    pub how: String,
    /// Why it was not restarted.
    pub why: String,
    /// The last lines of its log.
    pub tail: String,
    /// The path of the complete log, if known.
    pub log: Option<String>,
}
