//! Permissions of new files, and links.

use std::{io, path::Path};

/// Gives a temporary file the permissions of any new file. Its usual 0600 would hide a file that it becomes from other users.
#[cfg(unix)]
pub(crate) fn like_any_new_file(builder: &mut tempfile::Builder<'_, '_>) {
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
}

/// Does nothing: elsewhere a temporary file inherits the permissions of its folder, like any other.
#[cfg(not(unix))]
pub(crate) fn like_any_new_file(_builder: &mut tempfile::Builder<'_, '_>) {}

/// Makes `link` refer to the file or folder `to`.
#[cfg(unix)]
pub(crate) fn link_or_copy(to: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(to, link)
}

/// Copies the file or folder `to` to `link`, because links need a privilege on Windows.
#[cfg(not(unix))]
pub(crate) fn link_or_copy(to: &Path, link: &Path) -> io::Result<()> {
    if !to.is_dir() {
        return std::fs::copy(to, link).map(drop);
    }
    std::fs::create_dir_all(link)?;
    for entry in std::fs::read_dir(to)? {
        let entry = entry?;
        link_or_copy(&entry.path(), &link.join(entry.file_name()))?;
    }
    Ok(())
}
