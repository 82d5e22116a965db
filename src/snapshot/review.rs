//! Finds pending snapshots, shows what they would change, and accepts or rejects them.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    compare::diff,
    format::SnapshotFile,
    store::{StoreError, bundled, parse, read_if_there},
};

const PENDING: &str = ".snap.new";

/// A snapshot that must be accepted or rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PendingSnapshot {
    /// The pending file.
    pub path: PathBuf,
    /// The accepted file in the same folder, which may not exist.
    pub accepted: PathBuf,
    /// The path below the snapshot folder, without the extension: `litellm/limits/rate-limit`.
    pub name: String,
}

/// All pending snapshots below `root` (the folder that contains a folder for each proxy), sorted. Empty if the folder
/// does not exist.
///
/// # Errors
///
/// [`StoreError::Unreadable`] if a folder cannot be listed.
pub(crate) fn pending(root: &Path) -> Result<Vec<PendingSnapshot>, StoreError> {
    let found = files(root, PENDING)?.into_iter().filter_map(|path| {
        let name = id_below(root, &path, PENDING)?;
        Some(PendingSnapshot { accepted: root.join(format!("{name}.snap")), path, name })
    });
    Ok(found.collect())
}

/// Whether `root` contains an accepted or pending snapshot of any proxy.
pub(crate) fn has_snapshots(root: &Path) -> bool {
    let is_ours = |path: &PathBuf, suffix| id_below(root, path, suffix).is_some_and(|id| id.contains('/'));
    [".snap", PENDING]
        .iter()
        .any(|suffix| files(root, suffix).is_ok_and(|found| found.iter().any(|path| is_ours(path, suffix))))
}

impl PendingSnapshot {
    /// The changes as text: for each case that differs, its id and a unified diff.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or is damaged.
    pub(crate) fn diff(&self) -> Result<String, StoreError> {
        let pending = self.read()?;
        let accepted = match read_if_there(&self.accepted)? {
            Some(text) => parse(&self.accepted, &text)?,
            None => match self.name.split_once('/').and_then(|(proxy, id)| bundled(Path::new(proxy), id)) {
                Some((path, text)) => parse(&path, text)?,
                None => SnapshotFile::default(),
            },
        };
        let gone = accepted.cases.iter().filter(|case| pending.case(&case.id).is_none());
        let mut ids: Vec<&str> = pending.cases.iter().chain(gone).map(|case| case.id.as_str()).collect();
        ids.dedup();
        let mut out = String::new();
        for id in ids {
            let diff = diff(accepted.render_case(id).trim_end(), pending.render_case(id).trim_end());
            if !diff.is_empty() {
                out.push_str(&format!("{id}\n{diff}"));
            }
        }
        Ok(out)
    }

    /// Replaces the accepted file by the pending one atomically. Returns the path of the accepted file.
    ///
    /// # Errors
    ///
    /// If the pending file is damaged or cannot be moved. The accepted file is then unchanged.
    pub(crate) fn accept(self) -> Result<PathBuf, StoreError> {
        self.read()?;
        match fs::rename(&self.path, &self.accepted) {
            Ok(()) => Ok(self.accepted),
            Err(source) => Err(StoreError::Unwritable { path: self.accepted, source }),
        }
    }

    /// Removes the pending file and does not change the accepted one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unwritable`] if the file cannot be removed.
    pub(crate) fn reject(self) -> Result<(), StoreError> {
        match fs::remove_file(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Unwritable { path: self.path, source })
            }
            _ => Ok(()),
        }
    }

    fn read(&self) -> Result<SnapshotFile, StoreError> {
        let text = fs::read_to_string(&self.path)
            .map_err(|source| StoreError::Unreadable { path: self.path.clone(), source })?;
        parse(&self.path, &text)
    }
}

/// The files below `root` whose names end with `suffix`, sorted. Symbolic links to folders are not followed.
pub(super) fn files(root: &Path, suffix: &str) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |source| StoreError::Unreadable { path: folder.clone(), source };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(source) => return Err(failed(source)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            if entry.file_type().map_err(failed)?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy().ends_with(suffix) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The path of a file below `root`, with forward slashes and without `suffix`; `None` if it is not valid UTF-8.
pub(super) fn id_below(root: &Path, path: &Path, suffix: &str) -> Option<String> {
    let relative = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> = relative.components().map(|part| part.as_os_str().to_str()).collect();
    Some(parts?.join("/").strip_suffix(suffix)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{
        super::{SnapshotStore, WriteMode, format::CaseSnapshot},
        *,
    };

    fn record(root: &Path, mode: WriteMode, text: &str) {
        let case = CaseSnapshot::from_parts("s/t[stream]", text, vec![]);
        let file = SnapshotFile { source: "s".to_owned(), description: String::new(), cases: vec![case] };
        SnapshotStore::new(root.join("proxy"), mode).without_bundled().record("s/t", &file).unwrap();
    }

    #[test]
    fn a_pending_snapshot_is_found_shown_and_accepted() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(pending(&dir.path().join("nowhere")).unwrap(), []);
        record(dir.path(), WriteMode::Accept, "step 1: 429\n  retry-after: 7");
        record(dir.path(), WriteMode::Pending, "step 1: 500");
        let found = pending(dir.path()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].name, "proxy/s/t");
        insta::assert_snapshot!(found[0].diff().unwrap(), @r"
        s/t[stream]
        --- accepted
        +++ now
        @@ -1,4 +1,3 @@
         == s/t[stream]
        -  step 1: 429
        -    retry-after: 7
        +  step 1: 500
         findings: none
        ");
        let path = found[0].clone().accept().unwrap();
        assert!(fs::read_to_string(path).unwrap().contains("step 1: 500"));
        assert_eq!(pending(dir.path()).unwrap(), []);
    }

    #[test]
    fn rejecting_a_pending_snapshot_does_not_change_the_accepted_one() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), WriteMode::Accept, "old");
        record(dir.path(), WriteMode::Pending, "new");
        let found = pending(dir.path()).unwrap().remove(0);
        let accepted = found.accepted.clone();
        found.reject().unwrap();
        assert!(fs::read_to_string(accepted).unwrap().contains("old"));
        assert_eq!(pending(dir.path()).unwrap(), []);
    }

    #[test]
    fn a_damaged_pending_file_never_replaces_the_accepted_one() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), WriteMode::Accept, "old");
        record(dir.path(), WriteMode::Pending, "new");
        let found = pending(dir.path()).unwrap().remove(0);
        fs::write(&found.path, "---\n").unwrap();
        let accepted = found.accepted.clone();
        assert!(matches!(found.accept(), Err(StoreError::Damaged { .. })));
        assert!(fs::read_to_string(accepted).unwrap().contains("old"));
    }
}
