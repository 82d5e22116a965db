//! Stores accepted and pending snapshots: the files of one proxy.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{
    acceptance::Acceptance,
    atomic::write_atomically,
    bundled_set::{bundled, has_bundled},
    compare::{same_behaviour, same_for_every_policy},
    format::{CaseSnapshot, Damage, SnapshotFile},
};

/// Which files may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// None: `CI` is set, or the tested proxy has a built-in defect.
    Never,
    /// None: the folder is not a project.
    Outside,
    /// Pending files, in the folders of the accepted ones.
    Pending,
    /// Accepted files: every case is accepted immediately, except those that fail. They are pending.
    Accept,
    /// Accepted files: every case is accepted immediately.
    AcceptAll,
}

/// The result of recording a scenario's snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// There is nothing to review. A pending file of an earlier run has been removed.
    Unchanged,
    /// There are cases to review, but no files may be written.
    NotWritten,
    /// There are cases to review, but the folder is not a project. Contains the number of cases.
    Unkept(usize),
    /// A pending file was written.
    Pending(PathBuf),
    /// The accepted file was written.
    Accepted {
        /// The accepted file.
        path: PathBuf,
        /// The cases that are new or have changed.
        written: SnapshotFile,
        /// The pending file with the cases that were not accepted.
        pending: Option<PathBuf>,
    },
    /// All accepted cases are as before. Only the header of the accepted file was written: it names the version of the
    /// proxy of this run.
    Confirmed,
}

/// Why a snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file exists but is not a valid snapshot.
    #[error("{}:{}: {}\n  help: fix the file, or delete it and run with --accept to regenerate it", path.display(), damage.line, damage.problem)]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line and the problem.
        damage: Damage,
    },
    /// The file exists but cannot be read.
    #[error("cannot read the snapshot {}: {source}\n  help: check the file's permissions, or choose another folder with --snapshots DIR", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be written. An older accepted file is unchanged.
    #[error("cannot write the snapshot {}: {source}\n  help: make its folder writable, or choose another one with --snapshots DIR", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The id of a scenario is not a path inside the snapshot folder.
    #[error(
        "the scenario id `{id}` is not a path inside the snapshot folder\n  help: rename the scenario's file"
    )]
    BadId {
        /// The id.
        id: String,
    },
}

/// The place of an accepted snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotPlace {
    /// A file in the snapshot folder.
    Folder,
    /// The program.
    Bundled,
}

/// The snapshots of one proxy.
#[derive(Debug, Clone)]
pub struct SnapshotStore {
    dir: PathBuf,
    mode: WriteMode,
    /// The folder of the bundled snapshots that are used for scenarios without a file in `dir`.
    bundled: Option<String>,
}

impl SnapshotStore {
    /// A store in `dir` (`snapshots/PROXY`), which may not exist. If a scenario has no file there, the bundled snapshot of
    /// that PROXY is used.
    pub fn new(dir: PathBuf, mode: WriteMode) -> Self {
        let bundled = dir.file_name().and_then(|proxy| Some(proxy.to_str()?.to_owned()));
        Self { dir, mode, bundled }
    }

    /// A store below `root` (`snapshots`) for this version of a proxy: `PROXY@VERSION` if there is such a folder, otherwise
    /// `PROXY`. The same applies to the bundled snapshots.
    pub(crate) fn of_version(root: &Path, proxy: &str, version: Option<&str>, mode: WriteMode) -> Self {
        let own = version.map(|version| format!("{proxy}@{version}"));
        let on_disk = own.clone().filter(|own| root.join(own).is_dir());
        let bundled = own.filter(|own| has_bundled(own));
        let bundled = Some(bundled.unwrap_or_else(|| proxy.to_owned()));
        Self { dir: root.join(on_disk.as_deref().unwrap_or(proxy)), mode, bundled }
    }

    /// Ignores bundled snapshots, for a folder that the user chose.
    pub fn without_bundled(self) -> Self {
        Self { bundled: None, ..self }
    }

    /// The accepted snapshot of a scenario, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Unreadable`] if the file exists but cannot be used. It must not count as
    /// missing, because then it would be overwritten.
    pub fn load(&self, scenario: &str) -> Result<Option<SnapshotFile>, StoreError> {
        Ok(self.load_from(scenario)?.map(|(file, _)| file))
    }

    /// The accepted snapshot of a scenario, if there is one, and the place that it comes from.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    pub fn load_from(&self, scenario: &str) -> Result<Option<(SnapshotFile, SnapshotPlace)>, StoreError> {
        let path = self.path(scenario, "snap")?;
        if let Some(text) = read_if_there(&path)? {
            return Ok(Some((parse(&path, &text)?, SnapshotPlace::Folder)));
        }
        match self.bundled.as_ref().and_then(|proxy| bundled(Path::new(proxy), scenario)) {
            Some((path, text)) => Ok(Some((parse(&path, text)?, SnapshotPlace::Bundled))),
            None => Ok(None),
        }
    }

    /// The folder with the snapshots of the proxy.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// When the snapshots in the folder were accepted; `None` if the folder does not say it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] if the file cannot be read, or does not have its form.
    pub fn acceptance(&self) -> Result<Option<Acceptance>, StoreError> {
        Acceptance::read(&self.dir)
            .map_err(|source| StoreError::Unreadable { path: self.dir.clone(), source })
    }

    /// Writes down when the snapshots in the folder were accepted.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unwritable`].
    pub(crate) fn accepted_by(&self, acceptance: &Acceptance) -> Result<(), StoreError> {
        acceptance
            .write(&self.dir)
            .map_err(|source| StoreError::Unwritable { path: self.dir.clone(), source })
    }

    /// Whether recorded snapshots are accepted immediately.
    pub fn accepts(&self) -> bool {
        matches!(self.mode, WriteMode::Accept | WriteMode::AcceptAll)
    }

    /// Whether cases that fail are not accepted, although others are.
    pub fn refuses_failing(&self) -> bool {
        self.mode == WriteMode::Accept
    }

    /// Compares the snapshot of a run with the accepted one, and writes the files that the mode allows. `now` must contain
    /// only cases that were judged, not skipped, inconclusive or broken ones.
    ///
    /// A case must be reviewed if it differs from its accepted snapshot, or if it has no accepted snapshot and fails:
    /// `failing` contains the ids of the cases with required findings that are neither accepted nor explained by a known
    /// finding. Only cases to review are pending. Cases that did not run do not change, neither in the accepted file nor in
    /// the pending one. A difference that only the policy causes is written when it is accepted, and is never pending.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), and [`StoreError::Unwritable`]. The accepted file is complete after each of them.
    pub fn record(
        &self,
        scenario: &str,
        now: &SnapshotFile,
        failing: &BTreeSet<String>,
    ) -> Result<Recorded, StoreError> {
        let base = self.load(scenario)?.unwrap_or_default();
        let news = to_review(&base, now, |id| failing.contains(id));
        match self.mode {
            WriteMode::Never | WriteMode::Outside if news.cases.is_empty() => Ok(Recorded::Unchanged),
            WriteMode::Never => Ok(Recorded::NotWritten),
            WriteMode::Outside => Ok(Recorded::Unkept(news.cases.len())),
            WriteMode::Pending => {
                let pending = self.keep_waiting(scenario, &base, now, news)?;
                Ok(pending.map_or(Recorded::Unchanged, Recorded::Pending))
            }
            WriteMode::Accept => self.accept(scenario, &base, now, |id| !failing.contains(id)),
            WriteMode::AcceptAll => self.accept(scenario, &base, now, |_| true),
        }
    }

    /// Accepts the cases of `now` whose ids satisfy `is_accepted`. The others are pending if they differ from `base`.
    fn accept(
        &self,
        scenario: &str,
        base: &SnapshotFile,
        now: &SnapshotFile,
        is_accepted: impl Fn(&str) -> bool,
    ) -> Result<Recorded, StoreError> {
        let written = not_accepted(base, now, same_for_every_policy).only(&is_accepted);
        let mut merged = base.overlaid_by(&written);
        if merged.cases.iter().all(|case| is_accepted(&case.id) && now.case(&case.id).is_some()) {
            // The run confirmed all cases.
            merged.origin = now.origin.clone();
        }
        let path = self.path(scenario, "snap")?;
        // The header quotes the scenario, whose title may have changed since, and the version of the proxy.
        let head = |file: &SnapshotFile| {
            (file.source.clone(), file.description.clone(), file.origin.proxies.clone())
        };
        let is_stale = head(base) != head(&merged);
        if !written.cases.is_empty() || (is_stale && path.is_file()) {
            write(&path, &merged)?;
        }
        let refused = to_review(&merged, now, |_| true).only(|id| !is_accepted(id));
        let pending = self.keep_waiting(scenario, &merged, now, refused)?;
        let is_confirmed = merged.origin.proxies != base.origin.proxies && path.is_file();
        Ok(match (written.cases.is_empty(), pending) {
            (false, pending) => Recorded::Accepted { path, written, pending },
            (true, Some(pending)) => Recorded::Pending(pending),
            (true, None) if is_confirmed => Recorded::Confirmed,
            (true, None) => Recorded::Unchanged,
        })
    }

    /// The scenarios that have an accepted file on disk, sorted. The caller uses them to report scenarios that no longer
    /// exist.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] if a folder cannot be listed.
    pub fn scenarios(&self) -> Result<Vec<String>, StoreError> {
        let files = files(&self.dir, ".snap")?;
        Ok(files.into_iter().filter_map(|path| id_below(&self.dir, &path, ".snap")).collect())
    }

    /// Writes `news` to the pending file, together with the pending cases of an earlier run that this run did not include.
    /// Removes the file if it would contain no cases. Returns the path if the file exists.
    fn keep_waiting(
        &self,
        scenario: &str,
        accepted: &SnapshotFile,
        now: &SnapshotFile,
        mut news: SnapshotFile,
    ) -> Result<Option<PathBuf>, StoreError> {
        let path = self.path(scenario, "snap.new")?;
        // A damaged pending file can be ignored: this run replaces it.
        let waiting = read_if_there(&path)?.and_then(|text| SnapshotFile::parse(&text).ok());
        let mut waiting = to_review(accepted, &waiting.unwrap_or_default(), |_| true);
        waiting.cases.retain(|case| now.case(&case.id).is_none());
        if !waiting.cases.is_empty() {
            news = waiting.overlaid_by(&news);
        }
        if !news.cases.is_empty() {
            // Its header says what recorded the pending cases, and not also what recorded the accepted ones.
            let file = SnapshotFile { origin: news.origin.clone(), ..accepted.overlaid_by(&news) };
            write(&path, &file)?;
            return Ok(Some(path));
        }
        remove_pending(self.dir.parent().unwrap_or(&self.dir), &path)?;
        Ok(None)
    }

    fn path(&self, scenario: &str, extension: &str) -> Result<PathBuf, StoreError> {
        let relative = Path::new(scenario);
        let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if scenario.is_empty() || scenario.contains('\0') || !inside {
            return Err(StoreError::BadId { id: scenario.to_owned() });
        }
        Ok(self.dir.join(format!("{scenario}.{extension}")))
    }
}

/// The cases of `now` with at least one form that `accepted` does not contain. `same` decides whether two forms are
/// equal.
fn not_accepted(
    accepted: &SnapshotFile,
    now: &SnapshotFile,
    same: impl Fn(&CaseSnapshot, &CaseSnapshot) -> bool,
) -> SnapshotFile {
    let is_held = |case: &CaseSnapshot| accepted.forms(&case.id).any(|held| same(held, case));
    let differs = |case: &&CaseSnapshot| now.forms(&case.id).any(|form| !is_held(form));
    SnapshotFile { cases: now.cases.iter().filter(differs).cloned().collect(), ..now.clone() }
}

/// The cases of `now` that the user must review: those that differ from their accepted snapshots, and new ones that fail.
fn to_review(accepted: &SnapshotFile, now: &SnapshotFile, fails: impl Fn(&str) -> bool) -> SnapshotFile {
    not_accepted(accepted, now, same_behaviour).only(|id| accepted.case(id).is_some() || fails(id))
}

/// Removes a pending file, and the folders that are empty without it, up to `root`.
pub(super) fn remove_pending(root: &Path, path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Ok(()) => {
            let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
            // Fails, as it should, on the first folder that contains anything else.
            for folder in folders {
                if fs::remove_dir(folder).is_err() {
                    break;
                }
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::Unwritable { path: path.to_owned(), source }),
    }
}

pub(super) fn read_if_there(path: &Path) -> Result<Option<String>, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Unreadable { path: path.to_owned(), source }),
    }
}

pub(super) fn parse(path: &Path, text: &str) -> Result<SnapshotFile, StoreError> {
    SnapshotFile::parse(text).map_err(|damage| StoreError::Damaged { path: path.to_owned(), damage })
}

pub(super) fn write(path: &Path, file: &SnapshotFile) -> Result<(), StoreError> {
    write_atomically(path, &file.render())
        .map_err(|source| StoreError::Unwritable { path: path.to_owned(), source })
}

/// The path of a file below `root`, with forward slashes and without `suffix`; `None` if it is not valid UTF-8.
pub(super) fn id_below(root: &Path, path: &Path, suffix: &str) -> Option<String> {
    let relative = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> = relative.components().map(|part| part.as_os_str().to_str()).collect();
    Some(parts?.join("/").strip_suffix(suffix)?.to_owned())
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

#[cfg(test)]
mod tests {
    use super::{
        super::{
            format::{CaseSnapshot, FindingLine},
            origin::SnapshotOrigin,
        },
        *,
    };
    use crate::scenario::Level;

    /// A file with these cases, each with its id and text. A case whose text starts with `!` has a finding.
    fn file(cases: &[(&str, &str)]) -> SnapshotFile {
        let finding = || FindingLine {
            rule: "a.rule".to_owned(),
            level: Level::Recommended,
            observed: String::new(),
            policy: Vec::new(),
        };
        let findings = |text: &str| if text.starts_with('!') { vec![finding()] } else { vec![] };
        let cases = cases.iter().map(|(id, text)| CaseSnapshot::from_parts(id, text, findings(text)));
        SnapshotFile {
            source: "s.yaml".to_owned(),
            description: "d".to_owned(),
            origin: SnapshotOrigin::default(),
            cases: cases.collect(),
        }
    }

    /// Records a run. A case fails if it has a finding.
    fn record(store: &SnapshotStore, scenario: &str, now: &SnapshotFile) -> Result<Recorded, StoreError> {
        let failing = now.cases.iter().filter(|case| !case.findings.is_empty()).map(|case| case.id.clone());
        store.record(scenario, now, &failing.collect())
    }

    fn accepted(path: PathBuf, written: &SnapshotFile) -> Recorded {
        Recorded::Accepted { path, written: written.clone(), pending: None }
    }

    fn store(dir: &tempfile::TempDir, mode: WriteMode) -> SnapshotStore {
        SnapshotStore::new(dir.path().join("builtin"), mode).without_bundled()
    }

    #[test]
    fn accepting_updates_the_title_of_a_file_without_news_and_creates_no_file_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = SnapshotStore::new(dir.path().join("p"), WriteMode::AcceptAll);
        let old = SnapshotFile { description: "Old".to_owned(), ..file(&[("a", "!x")]) };
        let new = SnapshotFile { description: "New".to_owned(), ..old.clone() };
        assert!(matches!(record(&store, "a", &old).unwrap(), Recorded::Accepted { .. }));
        assert_eq!(record(&store, "a", &new).unwrap(), Recorded::Unchanged);
        assert_eq!(store.load("a").unwrap().unwrap().description, "New");
        let none = SnapshotFile { cases: Vec::new(), ..new };
        assert_eq!(record(&store, "b", &none).unwrap(), Recorded::Unchanged);
        assert!(!dir.path().join("p/b.snap").exists());
    }

    #[test]
    fn a_new_case_is_pending_until_it_is_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let now = file(&[("a/b", "!1")]);
        let pending = dir.path().join("builtin/a/b.snap.new");
        assert_eq!(record(&store(&dir, WriteMode::Never), "a/b", &now).unwrap(), Recorded::NotWritten);
        assert!(!pending.exists());
        let recorded = record(&store(&dir, WriteMode::Pending), "a/b", &now).unwrap();
        assert_eq!(recorded, Recorded::Pending(pending.clone()));
        assert_eq!(store(&dir, WriteMode::Pending).load("a/b").unwrap(), None, "pending is not accepted");
        let recorded = record(&store(&dir, WriteMode::AcceptAll), "a/b", &now).unwrap();
        assert_eq!(recorded, accepted(dir.path().join("builtin/a/b.snap"), &now));
        assert!(!pending.exists());
        assert_eq!(store(&dir, WriteMode::Never).load("a/b").unwrap(), Some(now));
        assert_eq!(store(&dir, WriteMode::Never).scenarios().unwrap(), ["a/b"]);
    }

    #[test]
    fn a_new_case_without_findings_can_be_accepted_but_is_never_pending() {
        let dir = tempfile::tempdir().unwrap();
        let good = file(&[("s", "1"), ("s[stream]", "1")]);
        for mode in [WriteMode::Never, WriteMode::Outside, WriteMode::Pending] {
            assert_eq!(record(&store(&dir, mode), "s", &good).unwrap(), Recorded::Unchanged, "{mode:?}");
        }
        assert!(!dir.path().join("builtin").exists());
        let (pending, path) = (store(&dir, WriteMode::Pending), dir.path().join("builtin/s.snap.new"));
        let held = || SnapshotFile::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        // Of two new cases, only the one with a finding is pending, and only as long as it has one.
        let mixed = file(&[("s", "1"), ("s[stream]", "!1")]);
        assert_eq!(record(&pending, "s", &mixed).unwrap(), Recorded::Pending(path.clone()));
        assert_eq!(held(), file(&[("s[stream]", "!1")]));
        assert_eq!(record(&store(&dir, WriteMode::Outside), "s", &mixed).unwrap(), Recorded::Unkept(1));
        assert_eq!(record(&pending, "s", &good).unwrap(), Recorded::Unchanged);
        assert!(!path.exists());
        // A new case without findings is not pending either if an accepted case of the file changes.
        record(&store(&dir, WriteMode::AcceptAll), "s", &file(&[("s", "0")])).unwrap();
        assert_eq!(record(&pending, "s", &good).unwrap(), Recorded::Pending(path.clone()));
        assert_eq!(held(), file(&[("s", "1")]));
        let recorded = record(&store(&dir, WriteMode::AcceptAll), "s", &good).unwrap();
        assert_eq!(recorded, accepted(dir.path().join("builtin/s.snap"), &good));
        assert!(!path.exists());
        assert_eq!(record(&store(&dir, WriteMode::AcceptAll), "s", &good).unwrap(), Recorded::Unchanged);
    }

    #[test]
    fn a_case_with_several_accepted_forms_matches_each_of_them_and_a_new_form_is_pending() {
        let dir = tempfile::tempdir().unwrap();
        let (accept, pending) = (store(&dir, WriteMode::AcceptAll), store(&dir, WriteMode::Pending));
        let both = file(&[("s", "1"), ("s", "2")]);
        record(&accept, "s", &both).unwrap();
        assert_eq!(accept.load("s").unwrap(), Some(both.clone()));
        for one in ["1", "2"] {
            assert_eq!(record(&accept, "s", &file(&[("s", one)])).unwrap(), Recorded::Unchanged);
            assert_eq!(record(&pending, "s", &file(&[("s", one)])).unwrap(), Recorded::Unchanged);
        }
        assert_eq!(accept.load("s").unwrap(), Some(both));
        let three = file(&[("s", "1"), ("s", "2"), ("s", "3")]);
        let path = dir.path().join("builtin/s.snap.new");
        assert_eq!(record(&pending, "s", &three).unwrap(), Recorded::Pending(path.clone()));
        assert_eq!(SnapshotFile::parse(&fs::read_to_string(path).unwrap()).unwrap(), three);
    }

    #[test]
    fn a_filtered_run_keeps_the_cases_that_it_did_not_run() {
        let dir = tempfile::tempdir().unwrap();
        let accept = store(&dir, WriteMode::AcceptAll);
        record(&accept, "s", &file(&[("s", "1"), ("s[stream]", "1")])).unwrap();
        record(&accept, "s", &file(&[("s[stream]", "2")])).unwrap();
        assert_eq!(accept.load("s").unwrap(), Some(file(&[("s", "1"), ("s[stream]", "2")])));
        // The pending file keeps them too.
        let pending = store(&dir, WriteMode::Pending);
        record(&pending, "s", &file(&[("s", "9")])).unwrap();
        let recorded = record(&pending, "s", &file(&[("s[stream]", "2")])).unwrap();
        assert!(matches!(recorded, Recorded::Pending(_)), "{recorded:?}");
        assert_eq!(record(&pending, "s", &file(&[("s", "1")])).unwrap(), Recorded::Unchanged);
        assert!(!dir.path().join("builtin/s.snap.new").exists());
    }

    #[test]
    fn a_failing_case_is_pending_and_not_accepted_unless_all_are() {
        let dir = tempfile::tempdir().unwrap();
        record(&store(&dir, WriteMode::AcceptAll), "s", &file(&[("a", "1"), ("b", "1")])).unwrap();
        let now = file(&[("a", "2"), ("b", "!2"), ("c", "!2")]);
        let (path, waiting) = (dir.path().join("builtin/s.snap"), dir.path().join("builtin/s.snap.new"));
        let recorded = record(&store(&dir, WriteMode::Accept), "s", &now).unwrap();
        let Recorded::Accepted { written, pending, .. } = recorded else { panic!("{recorded:?}") };
        assert_eq!((written, pending), (file(&[("a", "2")]), Some(waiting.clone())));
        let read = |path: &Path| SnapshotFile::parse(&fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(read(&path), file(&[("a", "2"), ("b", "1")]));
        assert_eq!(read(&waiting), now);
        // The same again changes nothing.
        let again = record(&store(&dir, WriteMode::Accept), "s", &now).unwrap();
        assert_eq!(again, Recorded::Pending(waiting.clone()));
        record(&store(&dir, WriteMode::AcceptAll), "s", &now).unwrap();
        assert_eq!((read(&path), waiting.exists()), (now, false));
    }

    #[test]
    fn a_new_case_with_findings_that_do_not_fail_it_is_not_pending() {
        let dir = tempfile::tempdir().unwrap();
        let pending = store(&dir, WriteMode::Pending);
        let advice = file(&[("s", "!1")]);
        assert_eq!(pending.record("s", &advice, &BTreeSet::new()).unwrap(), Recorded::Unchanged);
        assert_eq!(
            pending.record("s", &advice, &BTreeSet::from(["s".to_owned()])).unwrap(),
            Recorded::Pending(dir.path().join("builtin/s.snap.new"))
        );
        // The folders of a pending file go away with it.
        assert_eq!(pending.record("s", &file(&[("s", "1")]), &BTreeSet::new()).unwrap(), Recorded::Unchanged);
        assert!(!dir.path().join("builtin").exists());
    }

    #[test]
    fn a_run_of_all_cases_in_another_version_updates_only_the_header() {
        let dir = tempfile::tempdir().unwrap();
        let accept = store(&dir, WriteMode::Accept);
        let by = |version: &str, cases: &[(&str, &str)]| SnapshotFile {
            origin: SnapshotOrigin::of_this_run("p", Some(version)),
            ..file(cases)
        };
        let origin = || accept.load("s").unwrap().unwrap().origin.proxies.into_iter().collect::<Vec<_>>();
        record(&accept, "s", &by("1", &[("a", "1"), ("b", "1")])).unwrap();
        // A part of the cases says nothing about the others.
        assert_eq!(record(&accept, "s", &by("2", &[("a", "1")])).unwrap(), Recorded::Unchanged);
        assert_eq!(origin(), ["p 1"]);
        assert_eq!(record(&accept, "s", &by("2", &[("a", "1"), ("b", "1")])).unwrap(), Recorded::Confirmed);
        assert_eq!(origin(), ["p 2"]);
        record(&accept, "s", &by("3", &[("a", "3")])).unwrap();
        assert_eq!(origin(), ["p 2", "p 3"]);
        // A pending file says what recorded the pending cases.
        let pending = store(&dir, WriteMode::Pending);
        record(&pending, "s", &by("4", &[("a", "4")])).unwrap();
        let text = fs::read_to_string(dir.path().join("builtin/s.snap.new")).unwrap();
        assert!(text.contains("\nproxy: p 4\n"), "{text}");
    }

    #[test]
    fn a_damaged_file_is_an_error_with_its_line_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("builtin/s.snap");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "---\nsource: s\n---\n<<<<<<< HEAD\n").unwrap();
        for mode in [WriteMode::Never, WriteMode::Pending, WriteMode::AcceptAll] {
            let error = record(&store(&dir, mode), "s", &file(&[("s", "1")])).unwrap_err().to_string();
            assert!(error.contains("s.snap:4: ") && error.contains("help: "), "{error}");
        }
        assert!(fs::read_to_string(&path).unwrap().contains("HEAD"));
    }

    #[test]
    fn the_error_about_a_folder_that_cannot_be_created_has_its_path_and_a_next_step() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("builtin"), "a file where the folder should be").unwrap();
        let error = record(&store(&dir, WriteMode::Pending), "s", &file(&[("s", "!1")])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("s.snap") && text.contains("--snapshots DIR"), "{text}");
    }

    #[test]
    fn an_id_that_leads_out_of_the_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for id in ["../x", "/etc/x", "a/../../x", ""] {
            let error = record(&store(&dir, WriteMode::AcceptAll), id, &file(&[])).unwrap_err();
            assert!(matches!(error, StoreError::BadId { .. }), "{id}");
        }
    }
}
