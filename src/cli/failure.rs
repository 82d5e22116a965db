//! Why a command ended, and with which code.

use crate::{
    proxy::ProxyError,
    report::{EXIT_BROKE, EXIT_PROXY, EXIT_USAGE},
    runner::RunError,
    scenario::{LoadError, LoadErrors},
    selftest::SelftestError,
    snapshot::StoreError,
};

/// Why a command could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Words on the command line that make no sense together, or name nothing.
    #[error("{0}")]
    Usage(String),
    /// Files that do not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Settings or a policy that do not load.
    #[error(transparent)]
    Settings(LoadErrors),
    /// A run that could not be made.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A proxy that cannot be found or installed.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// A snapshot that cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Faults that could not even be shown.
    #[error(transparent)]
    Selftest(#[from] SelftestError),
    /// Something of the system's.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Failure {
    /// For `map_err`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::Load(_) | Self::Settings(_) => EXIT_USAGE,
            Self::Proxy(error) | Self::Run(RunError::Proxy(error)) => proxy_code(error),
            Self::Run(error) => match error {
                RunError::Proxy(error) => proxy_code(error),
                RunError::Control { .. } => EXIT_PROXY,
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

    /// The text for people.
    pub fn render(&self, color: bool) -> String {
        match self {
            Self::Load(LoadError::Files(files)) => {
                let text = files.render(color);
                let n = files.0.len();
                format!("{text}\n\n{n} error{} in scenario files", if n == 1 { "" } else { "s" })
            }
            Self::Settings(errors) => errors.render(color),
            other => format!("error: {other}"),
        }
    }
}

/// A name that does not exist is the user's to mend; all else is the proxy's.
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
