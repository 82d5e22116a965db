//! The operating systems that differ for upfault.

/// An operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperatingSystem {
    /// The one on which upfault is developed and tested.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
    /// Any other one, which is treated like the least capable one.
    Other,
}

impl OperatingSystem {
    /// The one for which this program was compiled.
    pub(crate) const HERE: Self = if cfg!(target_os = "linux") {
        Self::Linux
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else if cfg!(windows) {
        Self::Windows
    } else {
        Self::Other
    };

    /// Its name, as messages write it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::MacOs => "macOS",
            Self::Windows => "Windows",
            Self::Other => "this operating system",
        }
    }
}
