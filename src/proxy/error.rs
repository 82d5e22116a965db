//! What can go wrong with a proxy, each with a place and a next step.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a proxy cannot be found, installed, started or addressed. Each text ends with what to do.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// No bundled definition and no folder of this name.
    #[error("there is no proxy `{spec}`{detail}\nhelp: {help}")]
    Unknown {
        /// What was asked for.
        spec: String,
        /// Why a folder does not do, or nothing.
        detail: String,
        /// Names that exist, the nearest one first.
        help: String,
    },
    /// A definition that does not load; the text shows file, line, column and the source line.
    #[error("{0}")]
    Invalid(String),
    /// A file or folder that cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// As in `cannot …`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// An installation that other processes use or change, for longer than anybody waits.
    #[error(
        "another process has kept {proxy} locked for {waited}: {}\n\
         help: wait until that run or installation is over, or end it (`fuser {}` shows its process id), and try \
         again; UPFAULT_CACHE=DIR names another cache",
        path.display(), path.display()
    )]
    Locked {
        /// Name and version.
        proxy: String,
        /// How long this process waited: `1h`.
        waited: String,
        /// The lock file.
        path: PathBuf,
    },
    /// A lock file that cannot be opened, or is on a file system without locks.
    #[error(
        "cannot lock {}: {source}\n\
         help: proxies are installed where upfault can write and lock files; UPFAULT_CACHE=DIR names another cache",
        path.display()
    )]
    CannotLock {
        /// The lock file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A program that is not on the PATH.
    #[error("{proxy} needs the program `{program}`, which is not on the PATH\nhelp: {help}")]
    MissingProgram {
        /// The proxy's name.
        proxy: String,
        /// The program.
        program: String,
        /// How to get it.
        help: String,
    },
    /// An install command failed.
    #[error(
        "installing {proxy} failed: `{command}` {how}\n{tail}the whole output is in {}\nhelp: {help}",
        log.display()
    )]
    Install {
        /// Name and version.
        proxy: Box<str>,
        /// The command as it was run.
        command: Box<str>,
        /// `exited with code 1`, `took longer than 30m`.
        how: Box<str>,
        /// The last lines of its output, each indented and ended with a newline.
        tail: Box<str>,
        /// Where all of it is.
        log: PathBuf,
        /// What to do.
        help: Box<str>,
    },
    /// The launch command could not be started at all.
    #[error("cannot start {proxy}: `{program}`: {source}\nhelp: {help}")]
    Spawn {
        /// Name and version.
        proxy: String,
        /// The program.
        program: String,
        /// What the system says.
        source: io::Error,
        /// What to do.
        help: String,
    },
    /// The proxy ended before it was ready.
    #[error(
        "{proxy} {how} before it was ready\n{tail}its log is {}\n\
         help: start it by hand in {} to see why: {command}",
        log.display(), log.parent().unwrap_or(log).display()
    )]
    Exited {
        /// Name and version.
        proxy: Box<str>,
        /// `exited with code 1`, `was killed by signal 9`.
        how: Box<str>,
        /// The last lines of its log.
        tail: Box<str>,
        /// Where all of it is.
        log: PathBuf,
        /// The launch command.
        command: Box<str>,
    },
    /// The proxy runs but does not say that it is ready.
    #[error(
        "{proxy} was not ready within {within} (GET {url}: {last})\n{tail}its log is {}\n\
         help: on a slow machine raise `ready.within` in its proxy.yaml, or start fewer things beside it",
        log.display()
    )]
    NotReady {
        /// Name and version.
        proxy: Box<str>,
        /// The deadline.
        within: Box<str>,
        /// What was polled.
        url: Box<str>,
        /// What the last poll saw.
        last: Box<str>,
        /// The last lines of its log.
        tail: Box<str>,
        /// Where all of it is.
        log: PathBuf,
    },
}

impl ProxyError {
    /// For `map_err` on file operations.
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

/// The place of a mistake in a file, with its line.
pub(super) fn at(file: &str, text: &str, line: usize, column: usize, message: &str) -> String {
    let Some(source) = line.checked_sub(1).and_then(|index| text.lines().nth(index)) else {
        return format!("{file}: {message}");
    };
    let margin = line.to_string().len();
    // The column counts characters from one.
    let indent = column.saturating_sub(1).min(source.chars().count());
    format!(
        "{file}:{line}:{column}: {message}\n{:margin$} |\n{line} | {source}\n{:margin$} | {:indent$}^",
        "", "", ""
    )
}

/// `; did you mean …?`, or nothing where nothing is near.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map_or_else(String::new, |(_, nearest)| format!("; did you mean `{nearest}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_shows_the_line_and_points_at_the_column() {
        insta::assert_snapshot!(at("proxy.yaml", "a: 1\nbb: {{ dri }}\n", 2, 5, "unknown"), @r"
        proxy.yaml:2:5: unknown
          |
        2 | bb: {{ dri }}
          |     ^
        ");
    }

    #[test]
    fn the_nearest_word_is_proposed_and_a_far_one_is_not() {
        assert_eq!(did_you_mean("litelm", ["litellm", "other"]), "; did you mean `litellm`?");
        assert_eq!(did_you_mean("kong", ["litellm"]), "");
    }
}
