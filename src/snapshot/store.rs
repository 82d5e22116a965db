//! Stores accepted and pending snapshots: the files of one proxy.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use super::{
    atomic::write_atomically,
    compare::{same_behaviour, same_for_every_policy},
    format::{CaseSnapshot, Damage, SnapshotFile},
};
use crate::bundled::SNAPSHOTS;

/// Which files may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// None: `CI` is set, or the tested proxy has a built-in defect.
    Never,
    /// None: the folder is not a project.
    Outside,
    /// Pending files, in the folders of the accepted ones.
    Pending,
    /// Accepted files: every observation is accepted immediately.
    Accept,
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
    /// The accepted file was written. Contains its path and its new content.
    Accepted(PathBuf, SnapshotFile),
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

/// The snapshots of one proxy.
#[derive(Debug, Clone)]
pub struct SnapshotStore {
    dir: PathBuf,
    mode: WriteMode,
    bundled: bool,
}

impl SnapshotStore {
    /// A store in `dir` (`snapshots/PROXY`), which may not exist. If a scenario has no file there, the bundled snapshot of
    /// that PROXY is used.
    pub fn new(dir: PathBuf, mode: WriteMode) -> Self {
        Self { dir, mode, bundled: true }
    }

    /// Ignores bundled snapshots, for a folder that the user chose.
    pub fn without_bundled(self) -> Self {
        Self { bundled: false, ..self }
    }

    /// The accepted snapshot of a scenario, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Unreadable`] if the file exists but cannot be used. It must not count as
    /// missing, because then it would be overwritten.
    pub fn load(&self, scenario: &str) -> Result<Option<SnapshotFile>, StoreError> {
        let path = self.path(scenario, "snap")?;
        if let Some(text) = read_if_there(&path)? {
            return parse(&path, &text).map(Some);
        }
        if !self.bundled {
            return Ok(None);
        }
        match self.dir.file_name().and_then(|proxy| bundled(Path::new(proxy), scenario)) {
            Some((path, text)) => parse(&path, text).map(Some),
            None => Ok(None),
        }
    }

    /// Whether recorded snapshots are accepted immediately.
    pub fn accepts(&self) -> bool {
        self.mode == WriteMode::Accept
    }

    /// Compares the snapshot of a run with the accepted one, and writes the files that the mode allows. `now` must contain
    /// only cases that were judged, not skipped, inconclusive or broken ones.
    ///
    /// A case must be reviewed if it differs from its accepted snapshot, or if it has no accepted snapshot and has a
    /// finding. Only such cases are pending. Cases that did not run do not change, neither in the accepted file nor in the
    /// pending one. A difference that only the policy causes is written when it is accepted, and is never pending.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), and [`StoreError::Unwritable`]. The accepted file is complete after each of them.
    pub fn record(&self, scenario: &str, now: &SnapshotFile) -> Result<Recorded, StoreError> {
        let accepted = self.load(scenario)?;
        let base = accepted.clone().unwrap_or_default();
        let news = to_review(&base, now);
        match self.mode {
            WriteMode::Never | WriteMode::Outside if news.cases.is_empty() => Ok(Recorded::Unchanged),
            WriteMode::Never => Ok(Recorded::NotWritten),
            WriteMode::Outside => Ok(Recorded::Unkept(news.cases.len())),
            WriteMode::Pending => {
                let pending = self.keep_waiting(scenario, &base, now, news)?;
                Ok(pending.map_or(Recorded::Unchanged, Recorded::Pending))
            }
            WriteMode::Accept => {
                let not_accepted = not_accepted(&base, now, same_for_every_policy);
                let (is_news, merged) = (!not_accepted.cases.is_empty(), base.overlaid_by(&not_accepted));
                let path = self.path(scenario, "snap")?;
                // The head quotes the scenario, whose title may have changed since.
                let is_stale = (&base.source, &base.description) != (&now.source, &now.description);
                if is_news || (is_stale && path.is_file()) {
                    write(&path, &merged)?;
                }
                self.keep_waiting(scenario, &merged, now, SnapshotFile { cases: Vec::new(), ..now.clone() })?;
                Ok(if is_news { Recorded::Accepted(path, merged) } else { Recorded::Unchanged })
            }
        }
    }

    /// The scenarios that have an accepted file on disk, sorted. The caller uses them to report scenarios that no longer
    /// exist.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] if a folder cannot be listed.
    pub fn scenarios(&self) -> Result<Vec<String>, StoreError> {
        let files = super::review::files(&self.dir, ".snap")?;
        Ok(files.into_iter().filter_map(|path| super::review::id_below(&self.dir, &path, ".snap")).collect())
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
        let waiting = to_review(accepted, &waiting.unwrap_or_default());
        news.cases.extend(waiting.cases.into_iter().filter(|case| now.case(&case.id).is_none()));
        if !news.cases.is_empty() {
            write(&path, &accepted.overlaid_by(&news))?;
            return Ok(Some(path));
        }
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::Unwritable { path, source })
            }
            _ => Ok(None),
        }
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

/// The cases of `now` that the user must review: those that differ from their accepted snapshots, and new ones with
/// findings.
fn to_review(accepted: &SnapshotFile, now: &SnapshotFile) -> SnapshotFile {
    let mut news = not_accepted(accepted, now, same_behaviour);
    news.cases.retain(|case| accepted.case(&case.id).is_some() || !case.findings.is_empty());
    news
}

/// The bundled snapshot of a scenario: its path for messages, and its text.
pub(super) fn bundled(proxy: &Path, scenario: &str) -> Option<(PathBuf, &'static str)> {
    let path = format!("{}/{scenario}.snap", proxy.display());
    let text = SNAPSHOTS.get(&path)?;
    Some((Path::new("(bundled) snapshots").join(path), text))
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

fn write(path: &Path, file: &SnapshotFile) -> Result<(), StoreError> {
    write_atomically(path, &file.render())
        .map_err(|source| StoreError::Unwritable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::{
        super::format::{CaseSnapshot, FindingLine},
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
        SnapshotFile { source: "s.yaml".to_owned(), description: "d".to_owned(), cases: cases.collect() }
    }

    fn store(dir: &tempfile::TempDir, mode: WriteMode) -> SnapshotStore {
        SnapshotStore::new(dir.path().join("builtin"), mode).without_bundled()
    }

    #[test]
    fn accepting_updates_the_title_of_a_file_without_news_and_creates_no_file_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = SnapshotStore::new(dir.path().join("p"), WriteMode::Accept);
        let old = SnapshotFile { description: "Old".to_owned(), ..file(&[("a", "!x")]) };
        let new = SnapshotFile { description: "New".to_owned(), ..old.clone() };
        assert!(matches!(store.record("a", &old).unwrap(), Recorded::Accepted(..)));
        assert_eq!(store.record("a", &new).unwrap(), Recorded::Unchanged);
        assert_eq!(store.load("a").unwrap().unwrap().description, "New");
        let none = SnapshotFile { cases: Vec::new(), ..new };
        assert_eq!(store.record("b", &none).unwrap(), Recorded::Unchanged);
        assert!(!dir.path().join("p/b.snap").exists());
    }

    #[test]
    fn a_new_case_is_pending_until_it_is_accepted() {
        let dir = tempfile::tempdir().unwrap();
        let now = file(&[("a/b", "!1")]);
        let pending = dir.path().join("builtin/a/b.snap.new");
        assert_eq!(store(&dir, WriteMode::Never).record("a/b", &now).unwrap(), Recorded::NotWritten);
        assert!(!pending.exists());
        let recorded = store(&dir, WriteMode::Pending).record("a/b", &now).unwrap();
        assert_eq!(recorded, Recorded::Pending(pending.clone()));
        assert_eq!(store(&dir, WriteMode::Pending).load("a/b").unwrap(), None, "pending is not accepted");
        let recorded = store(&dir, WriteMode::Accept).record("a/b", &now).unwrap();
        assert_eq!(recorded, Recorded::Accepted(dir.path().join("builtin/a/b.snap"), now.clone()));
        assert!(!pending.exists());
        assert_eq!(store(&dir, WriteMode::Never).load("a/b").unwrap(), Some(now));
        assert_eq!(store(&dir, WriteMode::Never).scenarios().unwrap(), ["a/b"]);
    }

    #[test]
    fn a_new_case_without_findings_can_be_accepted_but_is_never_pending() {
        let dir = tempfile::tempdir().unwrap();
        let good = file(&[("s", "1"), ("s[stream]", "1")]);
        for mode in [WriteMode::Never, WriteMode::Outside, WriteMode::Pending] {
            assert_eq!(store(&dir, mode).record("s", &good).unwrap(), Recorded::Unchanged, "{mode:?}");
        }
        assert!(!dir.path().join("builtin").exists());
        let (pending, path) = (store(&dir, WriteMode::Pending), dir.path().join("builtin/s.snap.new"));
        let held = || SnapshotFile::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        // Of two new cases, only the one with a finding is pending, and only as long as it has one.
        let mixed = file(&[("s", "1"), ("s[stream]", "!1")]);
        assert_eq!(pending.record("s", &mixed).unwrap(), Recorded::Pending(path.clone()));
        assert_eq!(held(), file(&[("s[stream]", "!1")]));
        assert_eq!(store(&dir, WriteMode::Outside).record("s", &mixed).unwrap(), Recorded::Unkept(1));
        assert_eq!(pending.record("s", &good).unwrap(), Recorded::Unchanged);
        assert!(!path.exists());
        // A new case without findings is not pending either if an accepted case of the file changes.
        store(&dir, WriteMode::Accept).record("s", &file(&[("s", "0")])).unwrap();
        assert_eq!(pending.record("s", &good).unwrap(), Recorded::Pending(path.clone()));
        assert_eq!(held(), file(&[("s", "1")]));
        let recorded = store(&dir, WriteMode::Accept).record("s", &good).unwrap();
        assert_eq!(recorded, Recorded::Accepted(dir.path().join("builtin/s.snap"), good.clone()));
        assert!(!path.exists());
        assert_eq!(store(&dir, WriteMode::Accept).record("s", &good).unwrap(), Recorded::Unchanged);
    }

    #[test]
    fn a_case_with_several_accepted_forms_matches_each_of_them_and_a_new_form_is_pending() {
        let dir = tempfile::tempdir().unwrap();
        let (accept, pending) = (store(&dir, WriteMode::Accept), store(&dir, WriteMode::Pending));
        let both = file(&[("s", "1"), ("s", "2")]);
        accept.record("s", &both).unwrap();
        assert_eq!(accept.load("s").unwrap(), Some(both.clone()));
        for one in ["1", "2"] {
            assert_eq!(accept.record("s", &file(&[("s", one)])).unwrap(), Recorded::Unchanged);
            assert_eq!(pending.record("s", &file(&[("s", one)])).unwrap(), Recorded::Unchanged);
        }
        assert_eq!(accept.load("s").unwrap(), Some(both));
        let three = file(&[("s", "1"), ("s", "2"), ("s", "3")]);
        let path = dir.path().join("builtin/s.snap.new");
        assert_eq!(pending.record("s", &three).unwrap(), Recorded::Pending(path.clone()));
        assert_eq!(SnapshotFile::parse(&fs::read_to_string(path).unwrap()).unwrap(), three);
    }

    #[test]
    fn a_filtered_run_keeps_the_cases_that_it_did_not_run() {
        let dir = tempfile::tempdir().unwrap();
        let accept = store(&dir, WriteMode::Accept);
        accept.record("s", &file(&[("s", "1"), ("s[stream]", "1")])).unwrap();
        accept.record("s", &file(&[("s[stream]", "2")])).unwrap();
        assert_eq!(accept.load("s").unwrap(), Some(file(&[("s", "1"), ("s[stream]", "2")])));
        // The pending file keeps them too.
        let pending = store(&dir, WriteMode::Pending);
        pending.record("s", &file(&[("s", "9")])).unwrap();
        let recorded = pending.record("s", &file(&[("s[stream]", "2")])).unwrap();
        assert!(matches!(recorded, Recorded::Pending(_)), "{recorded:?}");
        assert_eq!(pending.record("s", &file(&[("s", "1")])).unwrap(), Recorded::Unchanged);
        assert!(!dir.path().join("builtin/s.snap.new").exists());
    }

    #[test]
    fn a_damaged_file_is_an_error_with_its_line_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("builtin/s.snap");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "---\nsource: s\n---\n<<<<<<< HEAD\n").unwrap();
        for mode in [WriteMode::Never, WriteMode::Pending, WriteMode::Accept] {
            let error = store(&dir, mode).record("s", &file(&[("s", "1")])).unwrap_err().to_string();
            assert!(error.contains("s.snap:4: ") && error.contains("help: "), "{error}");
        }
        assert!(fs::read_to_string(&path).unwrap().contains("HEAD"));
    }

    #[test]
    fn the_error_about_a_folder_that_cannot_be_created_has_its_path_and_a_next_step() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("builtin"), "a file where the folder should be").unwrap();
        let error = store(&dir, WriteMode::Pending).record("s", &file(&[("s", "!1")])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("s.snap") && text.contains("--snapshots DIR"), "{text}");
    }

    #[test]
    fn an_id_that_leads_out_of_the_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for id in ["../x", "/etc/x", "a/../../x", ""] {
            let error = store(&dir, WriteMode::Accept).record(id, &file(&[])).unwrap_err();
            assert!(matches!(error, StoreError::BadId { .. }), "{id}");
        }
    }
}
