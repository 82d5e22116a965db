//! Reads the files of a definition from a folder, or from the binary itself.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::error::ProxyError;
use crate::{bundled::PROXIES, platform::like_any_new_file};

/// The file that every definition's folder contains.
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
    /// The name of the folder below `proxies`.
    pub(super) folder: &'static str,
    /// The name and text of each file, sorted by name.
    pub(super) files: Vec<(&'static str, &'static str)>,
}

impl BundledFolder {
    /// Returns the definitions inside the binary.
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
    /// Reads a file of the definition. `name` is relative to the folder and must not leave it.
    pub(super) fn read(&self, name: &str) -> Result<String, String> {
        if name.split(['/', '\\']).any(|part| part == "..") || name.starts_with(['/', '\\']) {
            return Err("it is outside the definition's folder".to_owned());
        }
        match self {
            Self::Disk(folder) => fs::read_to_string(folder.join(name)).map_err(|error| error.to_string()),
            Self::Bundled(bundled) => {
                let file = bundled.files.iter().find(|(file, _)| bundled.path(file) == bundled.path(name));
                file.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
            }
        }
    }

    /// Returns the path of a file, as messages show it.
    pub(super) fn display(&self, name: &str) -> String {
        match self {
            Self::Disk(folder) => folder.join(name).display().to_string(),
            Self::Bundled(bundled) => format!("(bundled) {}/{name}", bundled.folder),
        }
    }

    /// Returns the folder that `{{ here }}` refers to. [`DefinitionSource::unpack`] writes a bundled
    /// definition to it, below `cache`.
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

    /// Creates the folder that `{{ here }}` refers to, if necessary, and returns it.
    pub(super) fn unpack(&self, cache: &Path) -> Result<PathBuf, ProxyError> {
        let here = self.here(cache);
        if let Self::Bundled(bundled) = self {
            for (name, text) in &bundled.files {
                let path = here.join(name);
                // The name of the folder contains a hash of its contents.
                if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
                    continue;
                }
                fs::create_dir_all(&here).map_err(ProxyError::io("create", &here))?;
                write_whole(&path, &here, text.as_bytes()).map_err(ProxyError::io("write", &path))?;
            }
        }
        Ok(here)
    }

    /// Returns a hash of the paths and contents of all files in the folder.
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

/// Writes a file into `folder`. A process that reads it at the same time gets either the complete file or
/// none.
fn write_whole(path: &Path, folder: &Path, contents: &[u8]) -> io::Result<()> {
    let mut builder = tempfile::Builder::new();
    like_any_new_file(&mut builder);
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(contents)?;
    file.persist(path)?;
    Ok(())
}

/// Formats bytes as lower-case hexadecimal digits.
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
        // Another version of upfault or a full disk may leave such a file.
        fs::write(&path, "damaged").unwrap();
        let mut reader = fs::File::open(&path).unwrap();
        source.unpack(cache.path()).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "damaged", "the file was replaced, not overwritten");
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }
}
