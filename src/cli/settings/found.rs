//! Finds the settings file.

use std::path::{Path, PathBuf};

/// The name of the settings file.
pub(crate) const NAME: &str = "upfault.toml";

/// The settings file in `folder`, or in the nearest folder above it.
pub(crate) fn find(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|above| above.join(NAME)).find(|file| file.is_file())
}
