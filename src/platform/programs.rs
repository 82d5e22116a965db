//! Programs on the PATH.

use std::path::{Path, PathBuf};

/// Returns the path of a program, found as a shell finds it.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    if Path::new(program).components().count() > 1 {
        return executable(Path::new(program));
    }
    #[expect(clippy::disallowed_methods, reason = "the search for programs uses the PATH of the system")]
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find_map(|folder| executable(&folder.join(program)))
}

/// The file, if it is a program.
#[cfg(unix)]
fn executable(path: &Path) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let is_program =
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    is_program.then(|| path.to_owned())
}

/// The file, if it has an extension of programs, or the first such file with this name.
#[cfg(not(unix))]
fn executable(path: &Path) -> Option<PathBuf> {
    const PROGRAMS: [&str; 4] = ["exe", "cmd", "bat", "com"];
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if PROGRAMS.iter().any(|program| extension.eq_ignore_ascii_case(program)) {
        return Some(path.to_owned()).filter(|path| path.is_file());
    }
    let with = |program: &&str| {
        let mut name = path.as_os_str().to_owned();
        name.push(".");
        name.push(program);
        PathBuf::from(name)
    };
    PROGRAMS.iter().map(with).find(|path| path.is_file())
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn only_an_executable_file_is_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tool");
        let name = file.to_str().unwrap().to_owned();
        assert_eq!(which(&name), None, "it does not exist");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(which(&name), None, "it cannot be executed");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(which(&name), Some(file));
        assert_eq!(which(folder.path().to_str().unwrap()), None, "a folder is not a program");
        assert!(which("sh").is_some_and(|path| path.is_absolute()));
    }
}
