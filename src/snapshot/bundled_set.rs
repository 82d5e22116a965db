//! The accepted snapshots inside the program: one set for each proxy, and for versions that have one of their own.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::format::SnapshotFile;
use crate::bundled::SNAPSHOTS;

/// Whether snapshots of this folder (`litellm`, `litellm@1.108.7`) are bundled.
pub(super) fn has_bundled(folder: &str) -> bool {
    SNAPSHOTS.folders().contains(&folder)
}

/// The bundled snapshots of a proxy: for each the path below the folder of the proxy, and the text.
pub(crate) fn bundled_files(proxy: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    SNAPSHOTS
        .files()
        .filter(|(path, _)| path.ends_with(".snap"))
        .filter_map(move |(path, text)| Some((path.strip_prefix(proxy)?.strip_prefix('/')?, text)))
}

/// The versions of a proxy of which snapshots are bundled.
pub(crate) fn bundled_versions(proxy: &str) -> BTreeSet<String> {
    recorded(proxy).map(|(_, version)| version).collect()
}

/// The folder of the bundled snapshots that this version of a proxy recorded.
pub(crate) fn bundled_folder(proxy: &str, version: &str) -> Option<String> {
    recorded(proxy).find(|(_, recorded)| recorded == version).map(|(folder, _)| folder.to_owned())
}

/// The folders of bundled snapshots of a proxy, each with the version that its files name.
fn recorded(proxy: &str) -> impl Iterator<Item = (&'static str, String)> {
    SNAPSHOTS.folders().into_iter().filter_map(move |folder| {
        if folder.split('@').next() != Some(proxy) {
            return None;
        }
        // All files of a folder are recorded by one version.
        let file = SnapshotFile::parse(bundled_files(folder).next()?.1).ok()?;
        let title = file.origin.proxies.into_iter().next()?;
        Some((folder, title.strip_prefix(proxy)?.trim().to_owned()))
    })
}

/// The bundled snapshot of a scenario: its path for messages, and its text.
pub(super) fn bundled(proxy: &Path, scenario: &str) -> Option<(PathBuf, &'static str)> {
    let path = format!("{}/{scenario}.snap", proxy.display());
    let text = SNAPSHOTS.get(&path)?;
    Some((Path::new("(bundled) snapshots").join(path), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_a_set_is_the_one_that_recorded_it() {
        let versions = bundled_versions("litellm");
        assert!(!versions.is_empty());
        for version in versions {
            let folder = bundled_folder("litellm", &version).unwrap();
            assert!(has_bundled(&folder));
            assert!(folder == "litellm" || folder == format!("litellm@{version}"), "{folder}: {version}");
        }
        assert_eq!(bundled_folder("litellm", "0.0.1"), None);
        assert!(bundled_versions("lite").is_empty());
    }

    #[test]
    fn all_files_of_a_set_were_recorded_by_one_version() {
        for (folder, version) in recorded("litellm") {
            for (path, text) in bundled_files(folder) {
                let origin = SnapshotFile::parse(text).unwrap().origin;
                let named: Vec<&String> = origin.proxies.iter().collect();
                assert_eq!(named, [&format!("litellm {version}")], "{folder}/{path}");
            }
        }
    }
}
