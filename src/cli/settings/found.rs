//! Finds the settings file.

use std::path::{Path, PathBuf};

use crate::cli::own_folder::OWN;

/// The name of the settings file.
pub(crate) const NAME: &str = "upfault.toml";

/// The settings files in `folder`, or in the nearest folder above it that has one: `upfault.toml`, `.upfault/upfault.toml`, or
/// both, which is an error of the user.
pub(crate) fn find(folder: &Path) -> Vec<PathBuf> {
    let of = |above: &Path| {
        let files = [above.join(NAME), above.join(OWN).join(NAME)];
        files.into_iter().filter(|file| file.is_file()).collect::<Vec<_>>()
    };
    folder.ancestors().map(of).find(|files| !files.is_empty()).unwrap_or_default()
}
