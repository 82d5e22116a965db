//! Where accepted and pending snapshots are kept: the files of one proxy.

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

/// What may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// Nothing (`CI` is set).
    Never,
    /// Nothing, since nobody keeps snapshots here (the folder is not a project).
    Outside,
    /// Pending files beside the accepted ones.
    Pending,
    /// What was seen is accepted at once.
    Accept,
}

/// What became of a scenario's snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing has to be reviewed; a pending file is gone if there was one.
    Unchanged,
    /// Something would have to be reviewed, and nothing may be written.
    NotWritten,
    /// The same outside a project: in so many cases.
    Unkept(usize),
    /// It waits for a review in this file.
    Pending(PathBuf),
    /// It was accepted into this file, which now holds this.
    Accepted(PathBuf, SnapshotFile),
}

/// Why a snapshot could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is there, but somebody has damaged it.
    #[error("{}:{}: {}\n  help: mend the file, or delete it and run with --accept to make it anew", path.display(), damage.line, damage.problem)]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and what.
        damage: Damage,
    },
    /// The file is there, but cannot be read.
    #[error("cannot read the snapshot {}: {source}\n  help: check the file's permissions, or choose another folder with --snapshots DIR", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be written; what was accepted before is still there.
    #[error("cannot write the snapshot {}: {source}\n  help: make its folder writable, or choose another one with --snapshots DIR", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A scenario's id that leads out of the folder.
    #[error(
        "the scenario id `{id}` is no path below the snapshots folder\n  help: rename the scenario's file"
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
    /// A store in `dir` (`snapshots/PROXY`), which need not exist. A scenario that has no file there
    /// is looked up among the snapshots of that PROXY inside the binary.
    pub fn new(dir: PathBuf, mode: WriteMode) -> Self {
        Self { dir, mode, bundled: true }
    }

    /// The same without those inside the binary: for a folder that somebody chose.
    pub fn without_bundled(self) -> Self {
        Self { bundled: false, ..self }
    }

    /// The accepted snapshot of a scenario, if there is one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] or [`StoreError::Unreadable`] where a file is there but of no use:
    /// such a file is never taken for none, since it would then be written over.
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

    /// Whether what is recorded is accepted at once.
    pub fn accepts(&self) -> bool {
        self.mode == WriteMode::Accept
    }

    /// Compares what was seen in a run of a scenario with what is accepted, and writes what the mode allows.
    /// `now` holds only cases that were judged: no skipped, inconclusive or broken one.
    ///
    /// A case has to be reviewed if it differs from what is accepted, or if nothing is accepted and it has a
    /// finding. Only such cases are pending. Cases that were not run stay as they are, in the accepted file and
    /// in the pending one.
    /// What differs only by the policy is written when it is accepted, and never waits for a review.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load), and [`StoreError::Unwritable`]. The accepted file is whole after
    /// any of them.
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
                let unheld = unheld(&base, now, same_for_every_policy);
                let (is_news, merged) = (!unheld.cases.is_empty(), base.overlaid_by(&unheld));
                let path = self.path(scenario, "snap")?;
                if is_news {
                    write(&path, &merged)?;
                }
                self.keep_waiting(scenario, &merged, now, SnapshotFile { cases: Vec::new(), ..now.clone() })?;
                Ok(if is_news { Recorded::Accepted(path, merged) } else { Recorded::Unchanged })
            }
        }
    }

    /// The scenarios that have an accepted file on disk, sorted: to tell those that no longer exist.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unreadable`] where a folder cannot be listed.
    pub fn scenarios(&self) -> Result<Vec<String>, StoreError> {
        let files = super::review::files(&self.dir, ".snap")?;
        Ok(files.into_iter().filter_map(|path| super::review::id_below(&self.dir, &path, ".snap")).collect())
    }

    /// Makes `news` the pending file, with what an earlier run left pending for cases that this one did not
    /// run. A file in which nothing would wait is removed. Returns the file if there is one.
    fn keep_waiting(
        &self,
        scenario: &str,
        accepted: &SnapshotFile,
        now: &SnapshotFile,
        mut news: SnapshotFile,
    ) -> Result<Option<PathBuf>, StoreError> {
        let path = self.path(scenario, "snap.new")?;
        // A damaged pending file is no loss: it is made of runs, and this is one.
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

/// The cases of `now` that `accepted` does not hold in each form in which they were seen; `same` says whether
/// two forms are the same.
fn unheld(
    accepted: &SnapshotFile,
    now: &SnapshotFile,
    same: impl Fn(&CaseSnapshot, &CaseSnapshot) -> bool,
) -> SnapshotFile {
    let is_held = |case: &CaseSnapshot| accepted.forms(&case.id).any(|held| same(held, case));
    let differs = |case: &&CaseSnapshot| now.forms(&case.id).any(|form| !is_held(form));
    SnapshotFile { cases: now.cases.iter().filter(differs).cloned().collect(), ..now.clone() }
}

/// The cases of `now` that somebody has to review: those that differ from what is accepted, and new ones with
/// findings.
fn to_review(accepted: &SnapshotFile, now: &SnapshotFile) -> SnapshotFile {
    let mut news = unheld(accepted, now, same_behaviour);
    news.cases.retain(|case| accepted.case(&case.id).is_some() || !case.findings.is_empty());
    news
}

/// The bundled snapshot of a scenario: its path as it is shown, and its text.
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

    /// Cases with their texts; one whose text begins with `!` has a finding.
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
    fn a_new_case_waits_beside_and_is_accepted_on_demand() {
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
    fn a_new_case_without_findings_is_accepted_on_demand_and_never_pending() {
        let dir = tempfile::tempdir().unwrap();
        let good = file(&[("s", "1"), ("s[stream]", "1")]);
        for mode in [WriteMode::Never, WriteMode::Outside, WriteMode::Pending] {
            assert_eq!(store(&dir, mode).record("s", &good).unwrap(), Recorded::Unchanged, "{mode:?}");
        }
        assert!(!dir.path().join("builtin").exists());
        let (pending, path) = (store(&dir, WriteMode::Pending), dir.path().join("builtin/s.snap.new"));
        let held = || SnapshotFile::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        // Of two new cases the one with a finding waits, until it has none any more.
        let mixed = file(&[("s", "1"), ("s[stream]", "!1")]);
        assert_eq!(pending.record("s", &mixed).unwrap(), Recorded::Pending(path.clone()));
        assert_eq!(held(), file(&[("s[stream]", "!1")]));
        assert_eq!(store(&dir, WriteMode::Outside).record("s", &mixed).unwrap(), Recorded::Unkept(1));
        assert_eq!(pending.record("s", &good).unwrap(), Recorded::Unchanged);
        assert!(!path.exists());
        // Beside an accepted case that changes, the new good one is not pending either.
        store(&dir, WriteMode::Accept).record("s", &file(&[("s", "0")])).unwrap();
        assert_eq!(pending.record("s", &good).unwrap(), Recorded::Pending(path.clone()));
        assert_eq!(held(), file(&[("s", "1")]));
        let recorded = store(&dir, WriteMode::Accept).record("s", &good).unwrap();
        assert_eq!(recorded, Recorded::Accepted(dir.path().join("builtin/s.snap"), good.clone()));
        assert!(!path.exists());
        assert_eq!(store(&dir, WriteMode::Accept).record("s", &good).unwrap(), Recorded::Unchanged);
    }

    #[test]
    fn a_case_in_several_forms_is_held_in_any_of_them_and_waits_for_a_new_one() {
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
        // The same for what is pending.
        let pending = store(&dir, WriteMode::Pending);
        pending.record("s", &file(&[("s", "9")])).unwrap();
        let recorded = pending.record("s", &file(&[("s[stream]", "2")])).unwrap();
        assert!(matches!(recorded, Recorded::Pending(_)), "{recorded:?}");
        assert_eq!(pending.record("s", &file(&[("s", "1")])).unwrap(), Recorded::Unchanged);
        assert!(!dir.path().join("builtin/s.snap.new").exists());
    }

    #[test]
    fn a_damaged_file_is_an_error_with_its_line_and_is_never_written_over() {
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
    fn a_folder_that_cannot_be_made_is_told_with_its_path_and_a_next_step() {
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
