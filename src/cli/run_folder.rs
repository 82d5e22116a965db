//! The folder of a run below the cache: its proxies' configurations and logs.
//!
//! A run holds the lock of its folder until it ends, and only the holder of that lock may remove a
//! folder. So no run loses its folder to another one, at whatever moment that one starts. A folder is
//! renamed before it is removed: a run that finds it by its name finds all of it or none.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::failure::Failure;
use crate::{
    lock::{Access, Lock},
    report::EXIT_OK,
};

/// How many folders of passed runs are kept: the newest ones.
const PASSED_KEPT: usize = 10;

/// How many folders of failed runs are kept: the newest ones. People look for the reason of a failure
/// long after it, and passed runs must not push it out.
const FAILED_KEPT: usize = 30;

/// Where the file system has no locks, a run without an exit code counts as live for this long.
const LIVE_WITHOUT_LOCK: Duration = Duration::from_secs(24 * 60 * 60);

/// How many names a run tries before it gives up.
const NAMES: usize = 1000;

/// The folder below the cache.
const RUNS: &str = "runs";

/// The lock of a run's folder, inside it.
const LOCK: &str = ".lock";

/// The exit code of a run that came to its end, inside its folder. A run that died leaves none.
const EXIT_CODE: &str = "exit-code";

/// The first part of the name of a folder that is being removed.
const REMOVING: &str = ".removing-";

/// The folder of a run that is going on. Dropping it ends the run: the folder stays for those who want
/// to read its logs, unless nothing was written to it.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// `None` where the file system has no locks.
    _lock: Option<Lock>,
}

impl RunFolder {
    /// Creates a folder below `cache` that no other run has, and removes the oldest ones of runs that
    /// have ended.
    ///
    /// # Errors
    /// [`Failure::Io`]: the folder cannot be created.
    pub fn create(cache: &Path) -> Result<Self, Failure> {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S.%3f");
        let runs = cache.join(RUNS);
        let own = fs::create_dir_all(&runs)
            .and_then(|()| Self::claim(&runs, &format!("{now}-{}", std::process::id())))
            .map_err(Failure::io(format!(
                "cannot create a folder for this run in {} (UPFAULT_CACHE=DIR names another cache)",
                runs.display()
            )))?;
        clean(&runs);
        Ok(own)
    }

    /// Creates and locks `name` or, if there is such a folder, `name-2` and so on.
    fn claim(runs: &Path, name: &str) -> io::Result<Self> {
        for n in 1..=NAMES {
            let path = runs.join(if n == 1 { name.to_owned() } else { format!("{name}-{n}") });
            match fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                created => created?,
            }
            match Lock::attempt(&path.join(LOCK), Access::Exclusive) {
                Ok(Some(lock)) => return Ok(Self { path, _lock: Some(lock) }),
                // Another run that cleans up has found the folder before it was locked, and removes it.
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => return Ok(Self { path, _lock: None }),
            }
        }
        Err(io::Error::other(format!("{NAMES} folders {name}-N are there already")))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Records how the run ended, which decides how long the folder is kept.
    pub fn finish(self, exit_code: u8) {
        if !is_unused(&self.path) {
            // Without it the run counts as failed, and its folder is kept longer.
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

/// What is known about a run by its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is going on, or nobody can say that it is not.
    Live,
    /// It ended with exit code 0.
    Passed,
    /// It ended with another exit code, or died.
    Failed,
    /// It is over and left nothing.
    Unused,
}

/// Whether this is the name of a run's folder: `TIME-PROCESS` or `TIME-PROCESS-N`. It begins with the
/// time, so that the order of names is that of their ages.
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

/// Removes folders of runs that are over. What cannot be removed stays: that must not fail a run.
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
            // A run that died while it removed this; or one that still does, and nothing is lost.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    for name in surplus(found) {
        remove(&runs.join(name));
    }
}

/// Which of these folders, each with its name, are to be removed.
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
    let is_live = match Lock::attempt(&folder.join(LOCK), Access::Exclusive) {
        Ok(lock) => lock.is_none(),
        Err(_) => is_recent(folder),
    };
    match is_live {
        true => State::Live,
        false if is_unused(folder) => State::Unused,
        false => State::Failed,
    }
}

/// Without a lock only the age can tell. A folder whose age is unknown is left alone.
fn is_recent(folder: &Path) -> bool {
    let changed = folder.metadata().and_then(|folder| folder.modified());
    changed.ok().and_then(|at| at.elapsed().ok()).is_none_or(|age| age < LIVE_WITHOUT_LOCK)
}

/// Whether the run has written nothing to its folder.
fn is_unused(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().all(|entry| entry.file_name().as_encoded_bytes() == LOCK.as_bytes())
    })
}

/// Removes a folder unless its run is going on. What was seen of the folder before it is locked may no
/// longer be true, so this asks for the lock again, which a live run never gives away.
fn remove(folder: &Path) {
    match Lock::attempt(&folder.join(LOCK), Access::Exclusive) {
        Ok(None) => {}
        Ok(Some(_)) | Err(_) => discard(folder),
    }
}

/// For the holder of the lock.
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

    /// A folder as a run of long ago left it: with a log, and with its exit code if there is one.
    fn left(runs: &Path, name: &str, code: Option<u8>) -> PathBuf {
        let folder = runs.join(name);
        fs::create_dir_all(folder.join("instance-1")).unwrap();
        fs::write(folder.join("instance-1/fake.log"), "last words").unwrap();
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
    fn the_newest_passed_and_failed_runs_are_kept_each_kind_by_its_own_number() {
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
    fn the_state_of_a_folder_is_that_of_its_run() {
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
    fn without_locks_a_run_counts_as_live_for_a_day_or_until_it_says_how_it_ended() {
        let runs = tempfile::tempdir().unwrap();
        let folder = left(runs.path(), "20260101T000000.000-1", None);
        // A folder in the place of the lock file cannot be locked.
        fs::create_dir(folder.join(LOCK)).unwrap();
        assert_eq!(state(&folder), State::Live);
        File::open(&folder).unwrap().set_modified(SystemTime::now() - LIVE_WITHOUT_LOCK).unwrap();
        assert_eq!(state(&folder), State::Failed);
        File::open(&folder).unwrap().set_modified(SystemTime::now() + LIVE_WITHOUT_LOCK).unwrap();
        assert_eq!(state(&folder), State::Live, "nobody knows how old it is");
        fs::write(folder.join(EXIT_CODE), "0\n").unwrap();
        assert_eq!(state(&folder), State::Passed);
        remove(&folder);
        assert!(!folder.exists());
    }

    #[test]
    fn a_start_removes_old_runs_and_touches_nothing_else() {
        let cache = tempfile::tempdir().unwrap();
        let runs = cache.path().join(RUNS);
        // The oldest of all is still going on.
        let live = left(&runs, "20250101T000000-7", None);
        let _lock = Lock::attempt(&live.join(LOCK), Access::Exclusive).unwrap().unwrap();
        for i in 0..PASSED_KEPT + 3 {
            left(&runs, &format!("20260101T0000{i:02}.000-7"), Some(0));
        }
        for i in 0..FAILED_KEPT + 3 {
            left(&runs, &format!("20260202T0000{i:02}.000-7"), (i % 2 == 0).then_some(1));
        }
        // What a run that died while it removed a folder left behind.
        left(&runs, ".removing-20250101T000000-1", None);
        fs::write(runs.join("20250101T000000-8"), "a file").unwrap();
        fs::write(runs.join("notes.txt"), "").unwrap();
        left(&runs, "mine", None);
        left(&runs, ".removing-mine", None);
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
    fn a_name_that_is_taken_is_not_shared() {
        let runs = tempfile::tempdir().unwrap();
        left(runs.path(), "20260101T000000.000-1", Some(0));
        fs::write(runs.path().join("20260101T000000.000-1-2"), "a file").unwrap();
        let own = RunFolder::claim(runs.path(), "20260101T000000.000-1").unwrap();
        assert_eq!(own.path(), runs.path().join("20260101T000000.000-1-3"));
        assert!(is_run_folder("20260101T000000.000-1-3"), "its folder is recognised later");
    }

    #[test]
    fn only_names_that_a_run_gives_are_those_of_run_folders() {
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
    fn a_cache_that_is_a_file_is_an_error_with_the_place_and_the_next_step() {
        let cache = tempfile::tempdir().unwrap();
        fs::write(cache.path().join(RUNS), "").unwrap();
        let text = RunFolder::create(cache.path()).unwrap_err().to_string();
        let runs = cache.path().join(RUNS).display().to_string();
        assert!(text.contains(&runs) && text.contains("UPFAULT_CACHE=DIR"), "{text}");
    }

    #[test]
    fn no_run_loses_its_folder_to_others_that_start_and_end_at_the_same_time() {
        let cache = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let cache = cache.path();
                scope.spawn(move || {
                    for round in 0..20 {
                        let own = RunFolder::create(cache).unwrap();
                        let (file, text) = (own.path().join("ca.pem"), format!("{thread} {round}"));
                        fs::write(&file, &text).unwrap();
                        // Others start and clean up in the meantime.
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
