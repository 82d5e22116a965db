//! Errors of commands, and their exit codes.

use crate::{
    proxy::ProxyError,
    report::{EXIT_BROKE, EXIT_PROXY, EXIT_USAGE},
    runner::RunError,
    scenario::{LoadError, LoadErrors},
    selftest::SelftestError,
    snapshot::StoreError,
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Invalid arguments.
    #[error("{0}")]
    Usage(String),
    /// Scenario files that do not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Settings or a policy that do not load.
    #[error(transparent)]
    Settings(LoadErrors),
    /// A run that could not start or continue.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A proxy that cannot be found or installed.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// A snapshot that cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A side of a comparison stopped before every case had a verdict.
    #[error("{0}")]
    SideGone(String),
    /// A selftest that could not run.
    #[error(transparent)]
    Selftest(#[from] SelftestError),
    /// An I/O error.
    #[error("{what}: {source}")]
    Io {
        /// The failed operation.
        what: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

impl Failure {
    /// Wraps an I/O error, for `map_err`.
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Load(_) | Self::Settings(_) => EXIT_USAGE,
            Self::SideGone(_) => EXIT_PROXY,
            Self::Proxy(error) | Self::Run(RunError::Proxy(error)) => proxy_code(error),
            Self::Run(error) => match error {
                RunError::Proxy(error) => proxy_code(error),
                RunError::Control { .. } | RunError::Gone(_) => EXIT_PROXY,
                RunError::Listen { .. } => EXIT_USAGE,
                RunError::Store(error) => store_code(error),
                RunError::Client(_)
                | RunError::Builtin { .. }
                | RunError::Upstream(_)
                | RunError::Authority(_)
                | RunError::WorkDir { .. } => EXIT_BROKE,
            },
            Self::Store(error) => store_code(error),
            Self::Selftest(_) | Self::Io { .. } => EXIT_BROKE,
        }
    }

    /// The message, with colour if `color`.
    pub(super) fn render(&self, color: bool) -> String {
        match self {
            Self::Load(LoadError::Files(files)) => {
                let text = files.render(color);
                let n = files.0.len();
                format!("{text}\n\n{n} error{} in scenario files", if n == 1 { "" } else { "s" })
            }
            Self::Settings(errors) => errors.render(color),
            Self::SideGone(text) => text.clone(),
            other => format!("error: {other}"),
        }
    }
}

/// An unknown or invalid proxy is a usage error; everything else is a failure of the proxy.
fn proxy_code(error: &ProxyError) -> u8 {
    match error {
        ProxyError::Unknown { .. } | ProxyError::Invalid(_) => EXIT_USAGE,
        _ => EXIT_PROXY,
    }
}

fn store_code(error: &StoreError) -> u8 {
    match error {
        StoreError::Damaged { .. } | StoreError::BadId { .. } => EXIT_USAGE,
        StoreError::Unreadable { .. } | StoreError::Unwritable { .. } => EXIT_BROKE,
    }
}
