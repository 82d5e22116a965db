//! Finds pending snapshots, shows what they would change, and accepts or rejects them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    bundled_set::bundled,
    format::SnapshotFile,
    pending_case::{PendingCase, PendingSnapshot},
    store::{StoreError, files, id_below, parse, read_if_there, remove_pending, write},
};

const PENDING: &str = ".snap.new";

/// All pending snapshots below `root` (the folder that contains a folder for each proxy), sorted. Empty if the folder
/// does not exist. `bundled` says whether bundled snapshots count, which they do not in a folder that the user chose.
///
/// # Errors
///
/// [`StoreError::Unreadable`] if a folder cannot be listed.
pub(crate) fn pending(root: &Path, bundled: bool) -> Result<Vec<PendingSnapshot>, StoreError> {
    let found = files(root, PENDING)?.into_iter().filter_map(|path| {
        let name = id_below(root, &path, PENDING)?;
        Some(PendingSnapshot { accepted: root.join(format!("{name}.snap")), path, name, bundled })
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
    /// The cases that differ from the accepted snapshot, sorted by id.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or is damaged.
    pub(crate) fn cases(&self) -> Result<Vec<PendingCase>, StoreError> {
        let (accepted, pending) = (self.accepted()?, self.read()?);
        let mut ids: Vec<&str> = pending.cases.iter().map(|case| case.id.as_str()).collect();
        ids.dedup();
        Ok(ids.into_iter().filter_map(|id| PendingCase::new(self, id, &accepted, &pending)).collect())
    }

    /// Accepts some of the pending cases and rejects others, by id. Those that differ and are in neither set stay pending. The
    /// files are replaced atomically. `root` is the snapshot folder.
    ///
    /// # Errors
    ///
    /// If a file is damaged or cannot be written. The accepted file is complete after each of them.
    pub(crate) fn settle(
        &self,
        root: &Path,
        accept: &BTreeSet<&str>,
        reject: &BTreeSet<&str>,
    ) -> Result<(), StoreError> {
        let (mut accepted, pending) = (self.accepted()?, self.read()?);
        let chosen = pending.only(|id| accept.contains(id));
        if !chosen.cases.is_empty() {
            accepted = accepted.overlaid_by(&chosen);
            write(&self.accepted, &accepted)?;
        }
        let is_open =
            |id: &str| !reject.contains(id) && PendingCase::new(self, id, &accepted, &pending).is_some();
        let rest = pending.only(is_open);
        if rest.cases.is_empty() {
            return remove_pending(root, &self.path);
        }
        let file = SnapshotFile { origin: pending.origin.clone(), ..accepted.overlaid_by(&rest) };
        write(&self.path, &file)
    }

    /// The accepted snapshot, which may be bundled; an empty one if there is none.
    fn accepted(&self) -> Result<SnapshotFile, StoreError> {
        if let Some(text) = read_if_there(&self.accepted)? {
            return parse(&self.accepted, &text);
        }
        let place = self.name.split_once('/').filter(|_| self.bundled);
        match place.and_then(|(proxy, id)| bundled(Path::new(proxy), id)) {
            Some((path, text)) => parse(&path, text),
            None => Ok(SnapshotFile::default()),
        }
    }

    fn read(&self) -> Result<SnapshotFile, StoreError> {
        let text = fs::read_to_string(&self.path)
            .map_err(|source| StoreError::Unreadable { path: self.path.clone(), source })?;
        parse(&self.path, &text)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{SnapshotStore, WriteMode, format::CaseSnapshot, origin::SnapshotOrigin},
        *,
    };

    /// Records these cases, each with its text, as a run of a version of the proxy.
    fn record(root: &Path, mode: WriteMode, version: &str, cases: &[(&str, &str)]) {
        let cases = cases.iter().map(|(id, text)| CaseSnapshot::from_parts(id, text, vec![]));
        let file = SnapshotFile {
            source: "s".to_owned(),
            description: "The title".to_owned(),
            origin: SnapshotOrigin::of_this_run("proxy", Some(version)),
            cases: cases.collect(),
        };
        let failing = file.cases.iter().map(|case| case.id.clone()).collect();
        let store = SnapshotStore::new(root.join("proxy"), mode).without_bundled();
        store.record("s/t", &file, &failing).unwrap();
    }

    fn only(root: &Path) -> PendingSnapshot {
        let found = pending(root, true).unwrap();
        assert_eq!(found.len(), 1);
        found.into_iter().next().unwrap()
    }

    fn is_there(root: &Path) -> bool {
        root.join("proxy/s/t.snap.new").exists()
    }

    #[test]
    fn a_pending_case_is_found_shown_and_accepted() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(pending(&dir.path().join("nowhere"), true).unwrap(), []);
        let id = "s/t[stream]";
        record(dir.path(), WriteMode::AcceptAll, "1.0", &[(id, "step 1: 429\n  retry-after: 7")]);
        record(dir.path(), WriteMode::Pending, "2.0", &[(id, "step 1: 500")]);
        let found = only(dir.path());
        assert_eq!(found.name, "proxy/s/t");
        let case = found.cases().unwrap().remove(0);
        assert_eq!((case.id.as_str(), case.title.as_str()), (id, "The title"));
        assert!(
            case.accepted_from.as_ref().unwrap().describe().starts_with("proxy 1.0"),
            "{:?}",
            case.accepted_from
        );
        assert!(case.recorded_from.describe().starts_with("proxy 2.0"), "{:?}", case.recorded_from);
        insta::assert_snapshot!(case.diff, @r"
        --- accepted
        +++ now
        @@ -1,4 +1,3 @@
         == s/t[stream]
        -  step 1: 429
        -    retry-after: 7
        +  step 1: 500
         findings: none
        ");
        found.settle(dir.path(), &BTreeSet::from([id]), &BTreeSet::new()).unwrap();
        let accepted = fs::read_to_string(&found.accepted).unwrap();
        assert!(accepted.contains("step 1: 500") && accepted.contains("proxy: proxy 2.0\n"), "{accepted}");
        assert_eq!(pending(dir.path(), true).unwrap(), []);
    }

    #[test]
    fn cases_of_a_file_are_settled_one_by_one() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), WriteMode::AcceptAll, "1.0", &[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]);
        record(dir.path(), WriteMode::Pending, "2.0", &[("a", "2"), ("b", "2"), ("c", "2")]);
        let found = only(dir.path());
        found.settle(dir.path(), &BTreeSet::from(["a"]), &BTreeSet::from(["b"])).unwrap();
        let left: Vec<String> = found.cases().unwrap().into_iter().map(|case| case.id).collect();
        assert_eq!(left, ["c"]);
        let accepted = SnapshotFile::parse(&fs::read_to_string(&found.accepted).unwrap()).unwrap();
        let texts: Vec<&str> = accepted.cases.iter().map(|case| case.text.as_str()).collect();
        assert_eq!(texts, ["2", "1", "1", "1"]);
        assert_eq!(accepted.origin.proxies.len(), 2, "the file has cases of both versions");
        found.settle(dir.path(), &BTreeSet::new(), &BTreeSet::from(["c"])).unwrap();
        assert!(!is_there(dir.path()));
        assert!(fs::read_to_string(&found.accepted).unwrap().contains("== c\n  1\n"));
    }

    #[test]
    fn rejecting_the_only_pending_case_of_a_folder_removes_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("snapshots");
        record(&root, WriteMode::Pending, "1.0", &[("a", "1")]);
        only(&root).settle(&root, &BTreeSet::new(), &BTreeSet::from(["a"])).unwrap();
        assert!(!root.exists());
        assert!(dir.path().exists());
    }

    #[test]
    fn a_pending_file_that_no_longer_differs_has_no_cases_and_goes_away() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), WriteMode::Pending, "1.0", &[("a", "2")]);
        let found = only(dir.path());
        fs::copy(&found.path, &found.accepted).unwrap();
        assert_eq!(found.cases().unwrap(), []);
        found.settle(dir.path(), &BTreeSet::new(), &BTreeSet::new()).unwrap();
        assert!(!is_there(dir.path()) && found.accepted.exists());
    }

    #[test]
    fn a_damaged_pending_file_never_replaces_the_accepted_one() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path(), WriteMode::AcceptAll, "1.0", &[("a", "old")]);
        record(dir.path(), WriteMode::Pending, "1.0", &[("a", "new")]);
        let found = only(dir.path());
        fs::write(&found.path, "---\n").unwrap();
        let settled = found.settle(dir.path(), &BTreeSet::from(["a"]), &BTreeSet::new());
        assert!(matches!(settled, Err(StoreError::Damaged { .. })));
        assert!(fs::read_to_string(&found.accepted).unwrap().contains("old"));
    }
}
