//! Locks on files: which processes use a folder of the cache, and who may change it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
};

use same_file::Handle;

/// Who may hold a lock at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Any number of holders, and no exclusive one: for processes that only use what is locked.
    Shared,
    /// One holder: for a process that changes or removes what is locked.
    Exclusive,
}

/// A lock on a file. It is released when it is dropped, and by the system when its process ends,
/// however it ends.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes the lock without waiting and creates the file if it is missing. `None` means that
    /// another holder has it, in this process or another one.
    ///
    /// The holder of an exclusive lock may remove the file, or rename the folder around it, as the last
    /// thing that it does under the lock. A lock that this returns is on the file that is at `path` now.
    ///
    /// # Errors
    /// The file cannot be opened, or its file system has no locks.
    pub fn attempt(path: &Path, access: Access) -> io::Result<Option<Self>> {
        loop {
            let file = open(path, access)?;
            let taken = match access {
                Access::Shared => file.try_lock_shared(),
                Access::Exclusive => file.try_lock(),
            };
            match taken {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            let lock = Self(file);
            // Between opening and locking, another holder may have removed the file. Then this lock
            // is on a file that nobody else will ever find.
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
        // Closing the file is not enough while a child process that was just forked has a copy of it.
        let _ = self.0.unlock();
    }
}

fn open(path: &Path, access: Access) -> io::Result<File> {
    // What is only used may be in a cache that this user cannot write.
    if access == Access::Shared {
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

    fn is_free(path: &Path, access: Access) -> bool {
        Lock::attempt(path, access).unwrap().is_some()
    }

    #[test]
    fn one_holder_excludes_all_others_and_users_exclude_only_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let alone = Lock::attempt(&path, Access::Exclusive).unwrap();
        assert!(!is_free(&path, Access::Exclusive) && !is_free(&path, Access::Shared));
        drop(alone);
        let user = Lock::attempt(&path, Access::Shared).unwrap();
        assert!(is_free(&path, Access::Shared) && !is_free(&path, Access::Exclusive));
        drop(user);
        assert!(is_free(&path, Access::Exclusive));
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
                        let Some(lock) = Lock::attempt(&path, Access::Exclusive).unwrap() else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock at once");
                        taken.fetch_add(1, Ordering::SeqCst);
                        // From here on the next one may have it: this lock is on a file that is gone.
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
        let error = Lock::attempt(&folder.path().join("gone/lock"), Access::Exclusive).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
