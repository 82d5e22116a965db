//! Where the file is.

use std::path::{Path, PathBuf};

/// Its name.
pub const NAME: &str = "upfault.toml";

/// The file that speaks for what is done in `folder`: the one there, or in the nearest folder above.
pub fn find(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|above| above.join(NAME)).find(|file| file.is_file())
}
