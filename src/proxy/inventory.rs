//! The installations in a cache.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    error::ProxyError,
    installation::{InstallFolder, InstallStamp},
};

/// The folder of the installations in the cache.
pub(super) const INSTALLATIONS: &str = "proxies";

/// An installation in the cache, complete or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedInstallation {
    /// Its folder.
    pub dir: PathBuf,
    /// What is installed, `litellm 1.102.4`; `None` if the installation is not complete.
    pub title: Option<String>,
    /// The name of the proxy; empty if it is not known.
    pub proxy: String,
    /// Its version.
    pub version: String,
}

/// Returns the installations in a cache, sorted by folder. A cache that does not exist has none. Other folders there do not
/// count: if the cache is the folder of a project, they are the project's definitions.
///
/// # Errors
/// [`ProxyError::Io`] if the folder cannot be read.
pub(crate) fn cached_installations(cache: &Path) -> Result<Vec<CachedInstallation>, ProxyError> {
    let folder = cache.join(INSTALLATIONS);
    let folder = std::path::absolute(&folder).map_err(ProxyError::io("resolve the path", &folder))?;
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(ProxyError::io("read", &folder))?,
    };
    let mut found: Vec<CachedInstallation> = entries
        .flatten()
        .map(|entry| entry.path())
        .map(|dir| (InstallFolder::new(&dir), dir))
        .filter(|(folder, _)| folder.is_installation())
        .map(|(folder, dir)| {
            // An older version of upfault wrote neither the name nor the version.
            let stamp = folder.stamp().unwrap_or_default();
            let title = folder.is_complete().then(|| title(&stamp));
            CachedInstallation { dir, title, proxy: stamp.proxy, version: stamp.version }
        })
        .collect();
    found.sort_by(|a, b| a.dir.cmp(&b.dir));
    Ok(found)
}

fn title(stamp: &InstallStamp) -> String {
    let name = if stamp.proxy.is_empty() { "an unnamed proxy" } else { &stamp.proxy };
    format!("{name} {}", stamp.version).trim_end().to_owned()
}

/// Returns the size of all files at and below a path, in bytes. Links are not followed. What cannot be read counts nothing.
pub(crate) fn size_of(path: &Path) -> u64 {
    let Ok(about) = path.symlink_metadata() else { return 0 };
    if !about.is_dir() {
        return about.len();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| size_of(&entry.path())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_and_incomplete_installations_are_found_with_their_sizes() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(cached_installations(cache.path()).unwrap(), []);
        let proxies = cache.path().join(INSTALLATIONS);
        for (name, stamp) in
            [("a-1-x", Some(r#"{"proxy": "a", "version": "1", "commands": []}"#)), ("b-2-y", None)]
        {
            fs::create_dir_all(proxies.join(name).join("lib")).unwrap();
            fs::write(proxies.join(name).join("lib/file"), "12345").unwrap();
            if let Some(stamp) = stamp {
                fs::write(proxies.join(name).join(".upfault-installed.json"), stamp).unwrap();
            }
            fs::write(proxies.join(format!("{name}.lock")), "").unwrap();
        }
        // Neither of them was made by an installation.
        for file in ["mine/proxy.yaml", "other/file"] {
            fs::create_dir_all(proxies.join(file).parent().unwrap()).unwrap();
            fs::write(proxies.join(file), "").unwrap();
        }
        let found = cached_installations(cache.path()).unwrap();
        let titles: Vec<Option<&str>> = found.iter().map(|one| one.title.as_deref()).collect();
        assert_eq!(titles, [Some("a 1"), None]);
        assert_eq!(size_of(&found[1].dir), 5);
        assert_eq!(size_of(&cache.path().join("missing")), 0);
    }
}
