//! Files that are either wholly there or not at all.

use std::{fs, io, io::Write, path::Path};

/// Writes `text` to `path` through a temporary file in the same folder, so that a reader (or a
/// crash) never meets half of it and what stood there before is kept until the new text is whole.
///
/// Missing folders are made. Permissions are those of any new file (the temporary file's own 0600
/// would hide a snapshot from colleagues).
pub(crate) fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".upfault-").suffix(".tmp");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_data()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
