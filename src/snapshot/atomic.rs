//! Atomic file writes: a file is either complete or not there.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::Path,
};

use tempfile::NamedTempFile;

use crate::platform::like_any_new_file;

/// Writes `text` to `path`, as [`write_atomically_with`] does.
pub(crate) fn write_atomically(path: &Path, text: &str) -> io::Result<()> {
    write_atomically_with(path, |file| file.write_all(text.as_bytes()))
}

/// Creates a file with this text, completely or not at all.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] if there is a file at `path`; it is left as it is.
pub(crate) fn create_atomically(path: &Path, text: &str) -> io::Result<()> {
    // Most users expect the error before anything happens in the folder.
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let file = temporary(path, |file| file.write_all(text.as_bytes()))?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes a file through a temporary file in the same folder: a reader never sees half of the text, and a crash leaves
/// either the old or the new file.
///
/// Creates missing folders. The file gets the permissions of any new file, because the 0600 of a temporary file would
/// hide a snapshot from colleagues.
pub(crate) fn write_atomically_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    temporary(path, write)?.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Replaces the text of a file of the user, completely or not at all. A link stays a link, and the permissions stay.
///
/// # Errors
///
/// [`io::ErrorKind::NotFound`] if `path` does not exist.
pub(crate) fn replace_atomically(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let file = temporary(&path, |file| file.write_all(text.as_bytes()))?;
    file.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes a temporary file next to `path`. Dropping it removes it.
fn temporary(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".upfault-").suffix(".tmp");
    like_any_new_file(&mut builder);
    let mut file = BufWriter::new(builder.tempfile_in(folder)?);
    write(&mut file)?;
    let file = file.into_inner()?;
    file.as_file().sync_data()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_file_of_the_user_keeps_its_link_and_its_permissions() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&file, &link).unwrap();
        replace_atomically(&link, "new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn creating_a_file_leaves_an_existing_one_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        create_atomically(&path, "first").unwrap();
        let again = create_atomically(&path, "second").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }
}
