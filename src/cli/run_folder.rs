//! The folder of a run in the cache, with the configurations and logs of its proxies.
//!
//! A run holds the lock of its folder until it ends, and only the holder of the lock may remove the folder. So no
//! run can remove the folder of another one that is still running. A folder is renamed before it is removed, so
//! that under its name it is either complete or missing.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::failure::Failure;
use crate::{
    lock::{Lock, LockMode},
    report::EXIT_OK,
};

/// How many of the newest folders of passed runs are kept.
const PASSED_KEPT: usize = 10;

/// How many of the newest folders of failed runs are kept. They are counted separately, because people look for
/// the cause of a failure long after it, when there may have been many passed runs.
const FAILED_KEPT: usize = 30;

/// On a file system without locks, a run without an exit code counts as live for this long.
const LIVE_WITHOUT_LOCK: Duration = Duration::from_secs(24 * 60 * 60);

/// How many folder names a run tries before it gives up.
const NAMES: usize = 1000;

/// The folder in the cache.
const RUNS: &str = "runs";

/// The lock file in the folder of a run.
const LOCK: &str = ".lock";

/// The file with the exit code, in the folder of a run that has ended. A run that was killed does not write it.
const EXIT_CODE: &str = "exit-code";

/// The first part of the name of a folder that is being removed.
const REMOVING: &str = ".removing-";

/// The folder of the current run. Dropping it ends the run: the folder stays, with its logs, unless it is empty.
#[derive(Debug)]
pub(super) struct RunFolder {
    path: PathBuf,
    /// `None` if the file system does not support locks.
    _lock: Option<Lock>,
}

impl RunFolder {
    /// Creates a new folder in `cache`, and removes old folders of runs that have ended.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub(super) fn create(cache: &Path) -> Result<Self, Failure> {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%3f");
        let runs = cache.join(RUNS);
        let own = fs::create_dir_all(&runs)
            .and_then(|()| Self::claim(&runs, &format!("{now}-{}", std::process::id())))
            .map_err(Failure::io(format!(
                "cannot create a folder for this run in {} (UPFAULT_CACHE=DIR chooses another cache)",
                runs.display()
            )))?;
        clean(&runs);
        Ok(own)
    }

    /// Creates and locks the folder `name`, or `name-2` and so on if it exists.
    fn claim(runs: &Path, name: &str) -> io::Result<Self> {
        for n in 1..=NAMES {
            let path = runs.join(if n == 1 { name.to_owned() } else { format!("{name}-{n}") });
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created?,
            }
            match Lock::attempt(&path.join(LOCK), LockMode::Exclusive) {
                Ok(Some(lock)) => return Ok(Self { path, _lock: Some(lock) }),
                // Another run found the folder before it was locked, and is removing it.
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => return Ok(Self { path, _lock: None }),
            }
        }
        Err(io::Error::other(format!("{NAMES} folders {name}-N already exist")))
    }

    /// The path of the folder.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Records the exit code, which decides how long the folder is kept.
    pub(super) fn finish(self, exit_code: u8) {
        if !is_unused(&self.path) {
            // Without the file the run counts as failed, and its folder is kept longer.
            let _ = fs::write(self.path.join(EXIT_CODE), format!("{exit_code}\n"));
        }
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if is_unused(&self.path) {
            discard(&self.path);
        }
    }
}

/// The state of a run, according to its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is still running, or may be.
    Live,
    /// It ended with exit code 0.
    Passed,
    /// It ended with another exit code, or was killed.
    Failed,
    /// It ended and wrote nothing.
    Unused,
}

/// Whether `name` is the name of a run's folder: `TIME-PROCESS` or `TIME-PROCESS-N`. Because names start with the
/// time, sorting them by name sorts them by age.
fn is_run_folder(name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = name.split('-');
    let time = parts.next().unwrap_or_default();
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let numbers: Vec<&str> = parts.collect();
    ["00000000T000000.000", "00000000T000000"].contains(&shape.as_str())
        && matches!(numbers.len(), 1 | 2)
        && numbers.into_iter().all(is_number)
}

/// Removes old folders of runs that have ended. Errors are ignored, because they must not fail the current run.
fn clean(runs: &Path) {
    let mut found = Vec::new();
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        if is_run_folder(&name) {
            found.push((name, state(&entry.path())));
        } else if name.strip_prefix(REMOVING).is_some_and(is_run_folder) {
            // Another run was killed while it removed this folder, or is still removing it.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    for name in surplus(found) {
        remove(&runs.join(name));
    }
}

/// The names of the folders to remove.
fn surplus(mut found: Vec<(String, State)>) -> Vec<String> {
    found.sort_by(|(a, _), (b, _)| b.cmp(a));
    let (mut passed, mut failed) = (0, 0);
    found.retain(|(_, state)| {
        let (seen, kept) = match state {
            State::Live => return false,
            State::Unused => return true,
            State::Passed => (&mut passed, PASSED_KEPT),
            State::Failed => (&mut failed, FAILED_KEPT),
        };
        *seen += 1;
        *seen > kept
    });
    found.into_iter().map(|(name, _)| name).collect()
}

fn state(folder: &Path) -> State {
    if let Ok(code) = fs::read_to_string(folder.join(EXIT_CODE)) {
        return if code.trim() == EXIT_OK.to_string() { State::Passed } else { State::Failed };
    }
    let is_live = match Lock::attempt(&folder.join(LOCK), LockMode::Exclusive) {
        Ok(lock) => lock.is_none(),
        Err(_) => is_recent(folder),
    };
    match is_live {
        true => State::Live,
        false if is_unused(folder) => State::Unused,
        false => State::Failed,
    }
}

/// Decides by the age of the folder, for a file system without locks. An unknown age counts as recent.
fn is_recent(folder: &Path) -> bool {
    let changed = folder.metadata().and_then(|folder| folder.modified());
    changed.ok().and_then(|at| at.elapsed().ok()).is_none_or(|age| age < LIVE_WITHOUT_LOCK)
}

/// Whether the folder contains nothing but the lock.
fn is_unused(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().all(|entry| entry.file_name().as_encoded_bytes() == LOCK.as_bytes())
    })
}

/// Removes the folder unless its run is live. The state may have changed since it was read, so this takes the lock
/// again. Without the lock only an old folder is removed: another run may have removed this one, and a third one may
/// be creating its own under the same name.
fn remove(folder: &Path) {
    match Lock::attempt(&folder.join(LOCK), LockMode::Exclusive) {
        Ok(Some(_lock)) => discard(folder),
        Ok(None) => {}
        Err(_) if folder.join(EXIT_CODE).exists() || !is_recent(folder) => discard(folder),
        Err(_) => {}
    }
}

/// Removes the folder. The caller must hold the lock.
fn discard(folder: &Path) {
    let Some(name) = folder.file_name().and_then(|name| name.to_str()) else { return };
    let removing = folder.with_file_name(format!("{REMOVING}{name}"));
    if fs::rename(folder, &removing).is_ok() {
        let _ = fs::remove_dir_all(removing);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, time::SystemTime};

    use super::*;

    /// The folder of an old run, with a log, and with an exit code if `code` is given.
    fn left(runs: &Path, name: &str, code: Option<u8>) -> PathBuf {
        let folder = runs.join(name);
        fs::create_dir_all(folder.join("instance-1")).unwrap();
        fs::write(folder.join("instance-1/fake.log"), "a log").unwrap();
        if let Some(code) = code {
            fs::write(folder.join(EXIT_CODE), format!("{code}\n")).unwrap();
        }
        folder
    }

    fn names(runs: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(runs)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_passed_and_failed_runs_are_kept_separately() {
        let all = |state, n| (0..n).map(move |i| (format!("{i:02}-{state:?}"), state));
        let found = all(State::Failed, FAILED_KEPT + 2)
            .chain(all(State::Passed, PASSED_KEPT + 1))
            .chain(all(State::Live, 50))
            .chain(all(State::Unused, 1))
            .collect();
        let mut removed = surplus(found);
        removed.sort();
        assert_eq!(removed, ["00-Failed", "00-Passed", "00-Unused", "01-Failed"]);
    }

    #[test]
    fn a_folder_shows_the_state_of_its_run() {
        let cache = tempfile::tempdir().unwrap();
        let runs = cache.path().join(RUNS);
        let unlocked = |name| left(&runs, name, None);
        assert_eq!(state(&left(&runs, "passed", Some(0))), State::Passed);
        for code in [1, 3, 130] {
            assert_eq!(state(&left(&runs, "failed", Some(code))), State::Failed, "{code}");
        }
        assert_eq!(state(&unlocked("died")), State::Failed);
        fs::create_dir(runs.join("unused")).unwrap();
        assert_eq!(state(&runs.join("unused")), State::Unused);

        let live = RunFolder::create(cache.path()).unwrap();
        assert_eq!(state(live.path()), State::Live);
        fs::write(live.path().join("ca.pem"), "").unwrap();
        let path = live.path().to_owned();
        live.finish(0);
        assert_eq!(state(&path), State::Passed);
    }

    #[test]
    fn without_locks_a_run_is_live_for_a_day_or_until_it_writes_its_exit_code() {
        let runs = tempfile::tempdir().unwrap();
        let folder = left(runs.path(), "20260101T000000.000-1", None);
        // A folder cannot be opened as a lock file.
        fs::create_dir(folder.join(LOCK)).unwrap();
        assert_eq!(state(&folder), State::Live);
        remove(&folder);
        assert!(folder.exists(), "a folder that may be live stays");
        File::open(&folder).unwrap().set_modified(SystemTime::now() - LIVE_WITHOUT_LOCK).unwrap();
        assert_eq!(state(&folder), State::Failed);
        File::open(&folder).unwrap().set_modified(SystemTime::now() + LIVE_WITHOUT_LOCK).unwrap();
        assert_eq!(state(&folder), State::Live, "its age is unknown");
        fs::write(folder.join(EXIT_CODE), "0\n").unwrap();
        assert_eq!(state(&folder), State::Passed);
        remove(&folder);
        assert!(!folder.exists());
    }

    #[test]
    fn a_new_run_removes_old_folders_and_nothing_else() {
        let cache = tempfile::tempdir().unwrap();
        let runs = cache.path().join(RUNS);
        // The oldest run is still live.
        let live = left(&runs, "20250101T000000-7", None);
        let _lock = Lock::attempt(&live.join(LOCK), LockMode::Exclusive).unwrap().unwrap();
        for i in 0..PASSED_KEPT + 3 {
            left(&runs, &format!("20260101T0000{i:02}.000-7"), Some(0));
        }
        for i in 0..FAILED_KEPT + 3 {
            left(&runs, &format!("20260202T0000{i:02}.000-7"), (i % 2 == 0).then_some(1));
        }
        // A run was killed while it removed this folder.
        left(&runs, ".removing-20250101T000000-1", None);
        fs::write(runs.join("20250101T000000-8"), "a file").unwrap();
        fs::write(runs.join("notes.txt"), "").unwrap();
        left(&runs, "mine", None);
        left(&runs, ".removing-mine", None);
        #[cfg(unix)]
        std::os::unix::fs::symlink(runs.join("mine"), runs.join("20250101T000000-9")).unwrap();

        let own = RunFolder::create(cache.path()).unwrap();
        let mut expected: Vec<String> = ["20250101T000000-7", "20250101T000000-8", "20250101T000000-9"]
            .into_iter()
            .chain(["notes.txt", "mine", ".removing-mine"])
            .map(str::to_owned)
            .collect();
        expected.extend((3..PASSED_KEPT + 3).map(|i| format!("20260101T0000{i:02}.000-7")));
        expected.extend((3..FAILED_KEPT + 3).map(|i| format!("20260202T0000{i:02}.000-7")));
        expected.push(own.path().file_name().unwrap().to_str().unwrap().to_owned());
        expected.sort();
        assert_eq!(names(&runs), expected);
        assert!(live.join("instance-1/fake.log").exists());
    }

    #[test]
    fn a_run_that_writes_nothing_leaves_no_folder() {
        let cache = tempfile::tempdir().unwrap();
        RunFolder::create(cache.path()).unwrap().finish(0);
        drop(RunFolder::create(cache.path()).unwrap());
        assert!(names(&cache.path().join(RUNS)).is_empty());
    }

    #[test]
    fn an_existing_folder_is_not_shared() {
        let runs = tempfile::tempdir().unwrap();
        left(runs.path(), "20260101T000000.000-1", Some(0));
        fs::write(runs.path().join("20260101T000000.000-1-2"), "a file").unwrap();
        let own = RunFolder::claim(runs.path(), "20260101T000000.000-1").unwrap();
        assert_eq!(own.path(), runs.path().join("20260101T000000.000-1-3"));
        assert!(is_run_folder("20260101T000000.000-1-3"), "its folder is recognised later");
    }

    #[test]
    fn only_folders_of_runs_are_recognized() {
        for name in ["20260101T000000-1", "20260101T000000.000-4194304", "20260101T000000.000-1-12"] {
            assert!(is_run_folder(name), "{name}");
        }
        for name in [
            "",
            "20260101T000000",
            "20260101T000000-",
            "20260101T000000-1-2-3",
            "20260101-1",
            "mine-1",
            "20260101T000000-x",
        ] {
            assert!(!is_run_folder(name), "{name}");
        }
    }

    #[test]
    fn a_cache_that_is_a_file_is_an_error_with_a_next_step() {
        let cache = tempfile::tempdir().unwrap();
        fs::write(cache.path().join(RUNS), "").unwrap();
        let text = RunFolder::create(cache.path()).unwrap_err().to_string();
        let runs = cache.path().join(RUNS).display().to_string();
        assert!(text.contains(&runs) && text.contains("UPFAULT_CACHE=DIR"), "{text}");
    }

    #[test]
    fn concurrent_runs_do_not_remove_the_folders_of_each_other() {
        let cache = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let cache = cache.path();
                scope.spawn(move || {
                    for round in 0..20 {
                        let own = RunFolder::create(cache).unwrap();
                        let (file, text) = (own.path().join("ca.pem"), format!("{thread} {round}"));
                        fs::write(&file, &text).unwrap();
                        // Other runs start and clean up in the meantime.
                        drop(RunFolder::create(cache).unwrap());
                        assert_eq!(fs::read_to_string(&file).unwrap(), text);
                        own.finish(0);
                    }
                });
            }
        });
        drop(RunFolder::create(cache.path()).unwrap());
        assert_eq!(names(&cache.path().join(RUNS)).len(), PASSED_KEPT);
    }
}
