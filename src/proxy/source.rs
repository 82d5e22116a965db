//! Where a definition's files come from: a folder, or the binary itself.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::error::ProxyError;
use crate::bundled::PROXIES;

/// The file that makes a folder a definition.
pub(super) const FILE: &str = "proxy.yaml";

/// A definition's folder.
#[derive(Debug, Clone)]
pub(super) enum DefinitionSource {
    Disk(PathBuf),
    Bundled(BundledFolder),
}

/// A definition's folder inside the binary.
#[derive(Debug, Clone)]
pub(super) struct BundledFolder {
    /// Below `proxies`.
    pub(super) folder: &'static str,
    /// Each file's name and text, in the order of their names.
    pub(super) files: Vec<(&'static str, &'static str)>,
}

impl BundledFolder {
    /// The definitions that are inside the binary.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        PROXIES.folders().into_iter().map(|folder| {
            let name = |path: &'static str| path.strip_prefix(folder)?.strip_prefix('/');
            let files = PROXIES.files().filter_map(|(path, text)| Some((name(path)?, text)));
            Self { folder, files: files.collect() }
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder).join(name)
    }
}

impl DefinitionSource {
    /// A file of the definition; `name` is relative to its folder and stays inside it.
    pub(super) fn read(&self, name: &str) -> Result<String, String> {
        if name.split(['/', '\\']).any(|part| part == "..") || name.starts_with(['/', '\\']) {
            return Err("lies outside the definition's folder".to_owned());
        }
        match self {
            Self::Disk(folder) => fs::read_to_string(folder.join(name)).map_err(|error| error.to_string()),
            Self::Bundled(bundled) => {
                let file = bundled.files.iter().find(|(file, _)| bundled.path(file) == bundled.path(name));
                file.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
            }
        }
    }

    /// The name of a file, as it is shown to people.
    pub(super) fn display(&self, name: &str) -> String {
        match self {
            Self::Disk(folder) => folder.join(name).display().to_string(),
            Self::Bundled(bundled) => format!("(bundled) {}/{name}", bundled.folder),
        }
    }

    /// The folder as `{{ here }}`: a bundled one is written below `cache` by [`Source::unpack`].
    pub(super) fn here(&self, cache: &Path) -> PathBuf {
        match self {
            Self::Disk(folder) => std::path::absolute(folder).unwrap_or_else(|_| folder.clone()),
            Self::Bundled(bundled) => {
                let mut hash = Sha256::new();
                for (name, text) in &bundled.files {
                    hash.update(bundled.path(name).as_os_str().as_encoded_bytes());
                    hash.update(text);
                }
                let digest = hex(&hash.finalize()[..6]);
                cache.join("definitions").join(format!("{}-{digest}", bundled.folder))
            }
        }
    }

    /// Makes `{{ here }}` exist.
    pub(super) fn unpack(&self, cache: &Path) -> Result<PathBuf, ProxyError> {
        let here = self.here(cache);
        if let Self::Bundled(bundled) = self {
            for (name, text) in &bundled.files {
                let path = here.join(name);
                // The folder's name holds the hash of what is in it.
                if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
                    continue;
                }
                fs::create_dir_all(&here).map_err(ProxyError::io("create", &here))?;
                write_whole(&path, &here, text.as_bytes()).map_err(ProxyError::io("write", &path))?;
            }
        }
        Ok(here)
    }

    /// All files in it, for a hash: path and content.
    pub(super) fn digest(&self) -> String {
        let mut hash = Sha256::new();
        match self {
            Self::Bundled(_) => {}
            Self::Disk(folder) => {
                let mut files: Vec<_> = fs::read_dir(folder)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|entry| entry.path())
                    .filter(|path| path.is_file())
                    .collect();
                files.sort();
                for path in files {
                    hash.update(path.as_os_str().as_encoded_bytes());
                    hash.update(fs::read(&path).unwrap_or_default());
                }
            }
        }
        hex(&hash.finalize())
    }
}

/// Writes a file of `folder` so that a process that reads it at the same moment sees all of it or none.
fn write_whole(path: &Path, folder: &Path, contents: &[u8]) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        // Those of any new file; a temporary one would be for its owner alone.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(contents)?;
    file.persist(path)?;
    Ok(())
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_process_that_reads_a_definition_is_not_disturbed_by_one_that_unpacks_it() {
        let cache = tempfile::tempdir().unwrap();
        let source = DefinitionSource::Bundled(BundledFolder::all().next().unwrap());
        let path = source.unpack(cache.path()).unwrap().join(FILE);
        let whole = fs::read_to_string(&path).unwrap();
        assert_eq!(whole, source.read(FILE).unwrap());
        // As another version of upfault, or a full disk, may have left it.
        fs::write(&path, "damaged").unwrap();
        let mut reader = fs::File::open(&path).unwrap();
        source.unpack(cache.path()).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "damaged", "the file was replaced, not emptied and filled again");
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }
}
