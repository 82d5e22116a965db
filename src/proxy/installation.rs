//! The folder of an installation, and the lock that decides which process may use or change it.
//!
//! The lock file is next to the folder, because the folder itself may be removed while the lock is held.
//! Processes that use the installation hold the lock in shared mode. A process that changes or removes it
//! holds the lock in exclusive mode.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use etcetera::BaseStrategy;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::{error::ProxyError, source::FILE};
use crate::lock::{Lock, LockMode};

/// The file that marks an installation as complete. It is written last.
const STAMP: &str = ".upfault-installed.json";

/// The time limit of an install command.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(30 * 60);

/// How long a process waits while others hold the lock. A working installer needs less time for all of its
/// commands.
const PATIENCE: Duration = COMMAND_LIMIT.saturating_mul(2);

/// The interval between two attempts to take the lock.
const POLL: Duration = Duration::from_millis(100);

/// The folder for installed proxies, unless another one is chosen: `upfault` in the platform's cache folder.
pub(crate) fn default_cache() -> PathBuf {
    match etcetera::choose_base_strategy() {
        Ok(strategy) => strategy.cache_dir().join("upfault"),
        // Without a home folder, use the current folder.
        Err(_) => PathBuf::from(".upfault-cache"),
    }
}

/// The result of removing an installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// The installation was removed.
    Removed,
    /// A process uses or installs it, so it was not removed.
    InUse,
    /// There was no installation.
    Missing,
}

/// Removes the installation in this folder, complete or not, with its lock file and its log, unless a process
/// uses or installs it. Does not wait. A folder that is not an installation stays: it is [`Removal::Missing`].
///
/// # Errors
/// [`ProxyError::Io`], [`ProxyError::CannotLock`]. After an error the folder may still exist, but does not
/// count as complete.
pub fn remove_installation(dir: &Path) -> Result<Removal, ProxyError> {
    let folder = InstallFolder::new(dir);
    let lock = match folder.claim()? {
        Ok(lock) => lock,
        Err(reason) => return Ok(reason),
    };
    folder.clear(&lock)?;
    for path in [folder.log_path(), folder.lock_path()] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ProxyError::io("remove", path)(error));
            }
            _ => {}
        }
    }
    Ok(Removal::Removed)
}

/// What [`remove_installation`] would return now. It changes nothing.
///
/// # Errors
/// [`ProxyError::CannotLock`].
pub(crate) fn possible_removal(dir: &Path) -> Result<Removal, ProxyError> {
    let folder = InstallFolder::new(dir);
    // No process uses an installation without a lock file, and an attempt to lock would create the file.
    if folder.is_installation() && !folder.lock_path().exists() {
        return Ok(Removal::Removed);
    }
    Ok(folder.claim()?.map_or_else(|reason| reason, |_| Removal::Removed))
}

/// How a proxy was installed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct InstallStamp {
    pub(super) proxy: String,
    pub(super) version: String,
    /// The date of the release, if the installation depends on it.
    pub(super) published_by: Option<String>,
    /// Whether requirements of the release were replaced, because the package index lacks some.
    pub(super) fallback: bool,
    pub(super) commands: Vec<Vec<String>>,
}

/// The folder of an installation, which need not exist.
#[derive(Debug, Clone)]
pub(super) struct InstallFolder {
    dir: PathBuf,
}

impl InstallFolder {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.dir.join(STAMP).is_file()
    }

    /// Whether the folder is an installation, complete or not: it has a stamp, or the lock file that an installer creates
    /// before the folder. A folder with a definition belongs to a project, whose folder may be the cache.
    pub(super) fn is_installation(&self) -> bool {
        let is_marked = self.is_complete() || self.lock_path().symlink_metadata().is_ok();
        self.dir.is_dir() && is_marked && !self.dir.join(FILE).exists()
    }

    /// Takes the installation for a removal, without waiting. The inner error says why it cannot be removed.
    fn claim(&self) -> Result<Result<Lock, Removal>, ProxyError> {
        // An attempt creates the lock file, which must not happen next to a folder of the user.
        if !self.is_installation() {
            return Ok(Err(Removal::Missing));
        }
        let path = self.lock_path();
        match Lock::attempt(&path, LockMode::Exclusive) {
            // The folder may have changed before this process got the lock.
            Ok(Some(_)) if !self.is_installation() => Ok(Err(Removal::Missing)),
            Ok(Some(lock)) => Ok(Ok(lock)),
            Ok(None) => Ok(Err(Removal::InUse)),
            Err(source) => Err(ProxyError::CannotLock { path, source }),
        }
    }

    /// Marks the installation as complete.
    pub(super) fn complete(&self, _alone: &Lock, stamp: &InstallStamp) -> Result<(), ProxyError> {
        let path = self.dir.join(STAMP);
        let text = serde_json::to_string_pretty(stamp).unwrap_or_default();
        fs::write(&path, text + "\n").map_err(ProxyError::io("write", path))
    }

    /// Returns how the proxy was installed; `None` if the installation is not complete.
    pub(super) fn stamp(&self) -> Option<InstallStamp> {
        serde_json::from_str(&fs::read_to_string(self.dir.join(STAMP)).ok()?).ok()
    }

    /// Removes the installation. It removes the stamp first: if the rest fails, the folder does not count as
    /// an installation.
    pub(super) fn clear(&self, _alone: &Lock) -> Result<(), ProxyError> {
        let gone = |result: io::Result<()>| match result {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        gone(fs::remove_file(self.dir.join(STAMP)))
            .and_then(|()| gone(fs::remove_dir_all(&self.dir)))
            .map_err(ProxyError::io("remove", &self.dir))
    }

    /// Returns the path of the log of the install commands.
    pub(super) fn log_path(&self) -> PathBuf {
        self.with_suffix(".log")
    }

    fn lock_path(&self) -> PathBuf {
        self.with_suffix(".lock")
    }

    /// Appends a suffix: `1.102.4-abcdef` and `.log` become `1.102.4-abcdef.log`. `with_extension` would
    /// replace a part of the version.
    fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut name: OsString = self.dir.file_name().unwrap_or_default().to_owned();
        name.push(suffix);
        self.dir.with_file_name(name)
    }
}

/// What a process may do with an installation while it holds the lock.
#[derive(Debug)]
pub(super) enum InstallationUse {
    /// Use it: it is complete, and no process changes or removes it. There is no lock if the file cannot be
    /// locked; then no other process can lock it for a change either.
    Use(Option<Lock>),
    /// Install it: it is not complete, and no other process uses or changes it.
    Install(Lock),
}

impl InstallFolder {
    /// Waits until the installation is complete and can be used, or until this process may install it.
    /// Reports once that it waits. Never takes longer than [`PATIENCE`].
    ///
    /// # Errors
    /// [`ProxyError::Locked`], [`ProxyError::CannotLock`].
    pub(super) async fn turn(
        &self,
        title: &str,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<InstallationUse, ProxyError> {
        let path = self.lock_path();
        let deadline = Instant::now() + PATIENCE;
        let mut announced = false;
        loop {
            // Check this again in each round: another process may have finished the installation, and then
            // this process can share the lock.
            let complete = self.is_complete();
            let access = if complete { LockMode::Shared } else { LockMode::Exclusive };
            match Lock::attempt(&path, access) {
                // The state may have changed before this process got the lock.
                Ok(Some(_)) if self.is_complete() != complete => continue,
                Ok(Some(lock)) if complete => return Ok(InstallationUse::Use(Some(lock))),
                Ok(Some(lock)) => return Ok(InstallationUse::Install(lock)),
                Ok(None) => {}
                Err(_) if complete => return Ok(InstallationUse::Use(None)),
                Err(source) => return Err(ProxyError::CannotLock { path, source }),
            }
            if Instant::now() >= deadline {
                let waited = humantime::format_duration(PATIENCE).to_string();
                return Err(ProxyError::Locked { proxy: title.to_owned(), waited, path });
            }
            if !announced {
                announced = true;
                progress(format!(
                    "waiting for another process that installs or uses {title} ({})",
                    path.display()
                ));
            }
            sleep(POLL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn folder() -> (tempfile::TempDir, InstallFolder) {
        let cache = tempfile::tempdir().unwrap();
        let folder = InstallFolder::new(&cache.path().join("1.0-abc"));
        fs::create_dir(&folder.dir).unwrap();
        (cache, folder)
    }

    async fn to_install(folder: &InstallFolder) -> Lock {
        match folder.turn("fake", &|line| panic!("{line}")).await.unwrap() {
            InstallationUse::Install(lock) => lock,
            InstallationUse::Use(_) => panic!("it is not complete"),
        }
    }

    async fn to_use(folder: &InstallFolder) -> Option<Lock> {
        match folder.turn("fake", &|_| {}).await.unwrap() {
            InstallationUse::Use(lock) => lock,
            InstallationUse::Install(_) => panic!("it is complete"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_is_reported_once_and_the_error_names_the_lock_file_and_the_next_step() {
        let (cache, folder) = folder();
        let _other = to_install(&folder).await;
        let lines = Mutex::new(Vec::new());
        let progress = |line| lines.lock().unwrap().push(line);
        let error = folder.turn("fake 1.0", &progress).await.unwrap_err();
        let plain = |text: &String| text.replace(&cache.path().display().to_string(), "CACHE");
        let lines: Vec<String> = lines.lock().unwrap().iter().map(plain).collect();
        assert_eq!(
            lines,
            ["waiting for another process that installs or uses fake 1.0 (CACHE/1.0-abc.lock)"]
        );
        insta::assert_snapshot!(plain(&error.to_string()), @"
        another process has kept fake 1.0 locked for 1h: CACHE/1.0-abc.lock
        help: wait until that run or installation has finished, or stop it (`fuser CACHE/1.0-abc.lock` shows its process id), then try again; or set UPFAULT_CACHE=DIR to use another cache folder
        ");
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_waits_for_an_installation_shares_it_with_the_process_that_made_it() {
        let (_cache, folder) = folder();
        let alone = to_install(&folder).await;
        let (second, first) = tokio::join!(to_use(&folder), async {
            sleep(POLL * 10).await;
            folder.complete(&alone, &InstallStamp::default()).unwrap();
            drop(alone);
            to_use(&folder).await
        });
        assert!(first.is_some() && second.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_waits_for_a_failed_installation_installs_it() {
        let (_cache, folder) = folder();
        let alone = to_install(&folder).await;
        let (turn, ()) = tokio::join!(folder.turn("fake", &|_| {}), async {
            sleep(POLL * 10).await;
            drop(alone);
        });
        assert!(matches!(turn, Ok(InstallationUse::Install(_))), "{turn:?}");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn an_installation_that_cannot_be_locked_can_be_used_but_not_changed() {
        let (_cache, folder) = folder();
        // A symbolic link to a path in a missing folder can be neither opened nor created.
        std::os::unix::fs::symlink("/nowhere/lock", folder.lock_path()).unwrap();
        let error = folder.turn("fake", &|line| panic!("{line}")).await.unwrap_err().to_string();
        assert!(error.contains("1.0-abc.lock") && error.contains("help: "), "{error}");
        assert!(remove_installation(&folder.dir).is_err());
        fs::write(folder.dir.join(STAMP), "{}").unwrap();
        assert!(to_use(&folder).await.is_none());
        assert!(remove_installation(&folder.dir).is_err());
        assert!(folder.is_complete());
    }

    #[tokio::test]
    async fn an_installation_in_use_is_not_removed() {
        let (cache, folder) = folder();
        let alone = to_install(&folder).await;
        fs::write(folder.log_path(), "installed").unwrap();
        folder.complete(&alone, &InstallStamp::default()).unwrap();
        assert_eq!(possible_removal(&folder.dir).unwrap(), Removal::InUse);
        assert_eq!(remove_installation(&folder.dir).unwrap(), Removal::InUse);
        drop(alone);
        let users = [to_use(&folder).await, to_use(&folder).await];
        for user in users {
            assert_eq!(remove_installation(&folder.dir).unwrap(), Removal::InUse);
            assert!(folder.is_complete());
            drop(user);
        }
        assert_eq!(possible_removal(&folder.dir).unwrap(), Removal::Removed);
        assert!(folder.is_complete(), "nothing was removed");
        assert_eq!(remove_installation(&folder.dir).unwrap(), Removal::Removed);
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0, "no file is left");
        assert_eq!(remove_installation(&folder.dir).unwrap(), Removal::Missing);
    }
    #[test]
    fn a_folder_that_is_not_an_installation_is_not_removed() {
        let (cache, folder) = folder();
        fs::write(folder.dir.join("file"), "mine").unwrap();
        assert_eq!(remove_installation(&folder.dir).unwrap(), Removal::Missing);
        assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1, "no lock file was created");
        // A definition of a project, even with the marks of an installation.
        fs::write(folder.dir.join(FILE), "name: mine").unwrap();
        fs::write(folder.dir.join(STAMP), "{}").unwrap();
        fs::write(folder.lock_path(), "").unwrap();
        assert_eq!(remove_installation(&folder.dir).unwrap(), Removal::Missing);
        assert!(folder.dir.join(FILE).is_file() && folder.dir.join("file").is_file());
    }
}
