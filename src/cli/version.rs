//! What `upfault --version` prints.

/// The version, and in a release build the commit with its date: `0.1.0 (33ab5d35 2026-11-30)`.
pub(super) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), env!("UPFAULT_COMMIT"));
