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

/// The name of this system, its kind and its processor: `Debian GNU/Linux 13 (trixie), linux x86_64`. Only Linux has the file
/// with the name; elsewhere the name is left out.
pub(crate) fn system_description() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let kind = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    match name.map(|name| name.trim_matches('"')).filter(|name| !name.is_empty()) {
        Some(name) => format!("{name}, {kind}"),
        None => kind,
    }
}
