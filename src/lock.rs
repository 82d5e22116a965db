//! File locks, which protect folders of the cache that several processes use.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

use same_file::Handle;

/// The kind of a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockMode {
    /// Several processes can hold it at the same time. For processes that only use the folder.
    Shared,
    /// Only one process can hold it. For a process that changes or removes the folder.
    Exclusive,
}

/// A lock on a file. It is released when it is dropped, and by the operating system when the process ends.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Takes the lock without waiting and creates the file if it does not exist. Returns `None` if another holder,
    /// in this or another process, has the lock.
    ///
    /// As its last action, the holder of an exclusive lock may remove the file or rename its folder. The returned
    /// lock is always on the file that is at `path` now.
    ///
    /// # Errors
    /// If the file cannot be opened, or the file system does not support locks.
    pub(crate) fn attempt(path: &Path, access: LockMode) -> io::Result<Option<Self>> {
        loop {
            let file = open(path, access)?;
            let taken = match access {
                LockMode::Shared => file.try_lock_shared(),
                LockMode::Exclusive => file.try_lock(),
            };
            match taken {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let lock = Self(file);
            // Another holder may have removed the file between opening and locking. Then this lock is on a
            // file that no other process can find.
            if lock.is_at(path)? {
                return Ok(Some(lock));
            }
        }
    }

    fn is_at(&self, path: &Path) -> io::Result<bool> {
        match Handle::from_path(path) {
            Ok(now) => Ok(now == Handle::from_file(self.0.try_clone()?)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child process that was just forked has a copy of the file, so closing it would not be enough.
        let _ = self.0.unlock();
    }
}

fn open(path: &Path, access: LockMode) -> io::Result<File> {
    // The user may not have write access to a shared cache.
    if access == LockMode::Shared {
        match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::*;

    fn is_free(path: &Path, access: LockMode) -> bool {
        Lock::attempt(path, access).unwrap().is_some()
    }

    #[test]
    fn one_holder_excludes_all_others_and_users_exclude_only_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let alone = Lock::attempt(&path, LockMode::Exclusive).unwrap();
        assert!(!is_free(&path, LockMode::Exclusive) && !is_free(&path, LockMode::Shared));
        drop(alone);
        let user = Lock::attempt(&path, LockMode::Shared).unwrap();
        assert!(is_free(&path, LockMode::Shared) && !is_free(&path, LockMode::Exclusive));
        drop(user);
        assert!(is_free(&path, LockMode::Exclusive));
    }

    #[test]
    fn a_lock_is_on_the_file_that_is_there_even_if_holders_remove_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (inside, taken) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while taken.load(Ordering::SeqCst) < 500 {
                        let Some(lock) = Lock::attempt(&path, LockMode::Exclusive).unwrap() else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock at once");
                        taken.fetch_add(1, Ordering::SeqCst);
                        // From here on another thread can take the lock: the file of this one is removed.
                        inside.fetch_sub(1, Ordering::SeqCst);
                        fs::remove_file(&path).unwrap();
                        drop(lock);
                    }
                });
            }
        });
    }

    #[test]
    fn a_lock_in_a_folder_that_is_gone_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Lock::attempt(&folder.path().join("gone/lock"), LockMode::Exclusive).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
