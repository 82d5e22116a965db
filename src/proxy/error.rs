//! Errors of finding, installing and starting a proxy. Each one names a place and a next step.

use std::{io, path::PathBuf};

use thiserror::Error;

/// An error of finding, installing, starting or addressing a proxy. Most texts end with what the user can do.
///
/// # Examples
///
/// ```
/// let error = upfault::Suite::new([]).proxy("litelm").err().unwrap();
/// assert!(matches!(error, upfault::ProxyError::Unknown { .. }));
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// No bundled definition and no folder has this name.
    #[error("there is no proxy `{spec}`{detail}\nhelp: {help}")]
    Unknown {
        /// What the user wrote after `--proxy`.
        spec: String,
        /// Why the folder of this name cannot be used, or empty.
        detail: String,
        /// The names that exist.
        help: String,
    },
    /// A definition cannot be loaded. The text shows file, line, column and the source line.
    #[error("{0}")]
    Invalid(String),
    /// A file or folder cannot be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// The verb after `cannot`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Other processes use or change the installation for longer than upfault waits.
    #[error(
        "another process has kept {proxy} locked for {waited}: {}\n\
         help: wait until that run or installation has finished, or stop it (`fuser {}` shows its process id), then \
         try again; or set UPFAULT_CACHE=DIR to use another cache folder",
        path.display(), path.display()
    )]
    Locked {
        /// Name and version.
        proxy: String,
        /// How long this process has waited: `1h`.
        waited: String,
        /// The lock file.
        path: PathBuf,
    },
    /// A lock file cannot be opened, or is on a file system without locks.
    #[error(
        "cannot lock {}: {source}\n\
         help: upfault must be able to write and lock files there; set UPFAULT_CACHE=DIR to use another cache folder",
        path.display()
    )]
    CannotLock {
        /// The lock file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The proxy cannot be used on this operating system.
    #[error(
        "{reason}\n\
         help: start the proxy yourself and pass its URL to `--proxy`, or use a system such as WSL on which it can run"
    )]
    NotOnThisSystem {
        /// Why.
        reason: String,
    },
    /// A required program is not on the PATH.
    #[error("{proxy} needs the program `{program}`, which is not on the PATH\nhelp: {help}")]
    MissingProgram {
        /// The proxy's name.
        proxy: String,
        /// The program.
        program: String,
        /// How to get it.
        help: String,
    },
    /// An install command has failed.
    #[error(
        "installing {proxy} failed: `{command}` {how}\n{tail}the full output is in {}\nhelp: {help}",
        log.display()
    )]
    Install {
        /// Name and version.
        proxy: Box<str>,
        /// The command as it was run.
        command: Box<str>,
        /// `exited with code 1`, `took longer than 30m`.
        how: Box<str>,
        /// The last lines of its output, each indented and ending with a newline.
        tail: Box<str>,
        /// The file with the full output.
        log: PathBuf,
        /// What the user can do.
        help: Box<str>,
    },
    /// The package index cannot be asked.
    #[error(
        "cannot find out {what} of {proxy}: `{command}` {detail}\n\
         help: check the connection to the package index, or name one release (`NAME@1.2.3`)"
    )]
    Index {
        /// Name and version.
        proxy: Box<str>,
        /// What was asked: `which releases exist`.
        what: Box<str>,
        /// The command as it was run.
        command: Box<str>,
        /// `exited with code 1`, and in further lines the end of its output.
        detail: Box<str>,
    },
    /// A service of the proxy cannot be started.
    #[error(
        "cannot start {service} for {proxy}: `{command}` {how}\n{tail}its log: {}\n\
         help: run the command by hand to see why, or check `services` in the definition",
        log.display()
    )]
    Service {
        /// Name and version of the proxy.
        proxy: Box<str>,
        /// The name of the service.
        service: Box<str>,
        /// The command that failed.
        command: Box<str>,
        /// `exited with code 1`, `took longer than 30s`.
        how: Box<str>,
        /// The last lines of its log.
        tail: Box<str>,
        /// The log file.
        log: PathBuf,
    },
    /// The program of the launch command cannot be run.
    #[error("cannot start {proxy}: cannot run `{program}`: {source}\nhelp: {help}")]
    Spawn {
        /// Name and version.
        proxy: String,
        /// The program.
        program: String,
        /// The error of the operating system.
        source: io::Error,
        /// What the user can do.
        help: String,
    },
    /// The proxy exited before it was ready.
    #[error(
        "{proxy} {how} before it was ready\n{tail}its log: {}\n\
         help: to see why, run this command in {}: {command}",
        log.display(), log.parent().unwrap_or(log).display()
    )]
    Exited {
        /// Name and version.
        proxy: Box<str>,
        /// `exited with code 1`, `was killed by signal 9`.
        how: Box<str>,
        /// The last lines of its log.
        tail: Box<str>,
        /// The log file.
        log: PathBuf,
        /// The launch command.
        command: Box<str>,
    },
    /// The proxy runs but did not report that it is ready.
    #[error(
        "{proxy} was not ready within {within} ({last})\n{tail}its log: {}\n\
         help: on a slow machine, raise `ready.within` in its proxy.yaml, or run fewer programs at the same time",
        log.display()
    )]
    NotReady {
        /// Name and version.
        proxy: Box<str>,
        /// The deadline.
        within: Box<str>,
        /// The condition that did not hold in the last poll: `GET http://127.0.0.1:4000/: status 503`.
        last: Box<str>,
        /// The last lines of its log.
        tail: Box<str>,
        /// The log file.
        log: PathBuf,
    },
}

impl ProxyError {
    /// Returns a function for `map_err` on file operations.
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }
}

/// Formats an error message with its place in a file, and shows the source line.
pub(super) fn at(file: &str, text: &str, line: usize, column: usize, message: &str) -> String {
    let Some(source) = line.checked_sub(1).and_then(|index| text.lines().nth(index)) else {
        return format!("{file}: {message}");
    };
    let margin = line.to_string().len();
    // The column is 1-based and counts characters.
    let indent = column.saturating_sub(1).min(source.chars().count());
    format!(
        "{file}:{line}:{column}: {message}\n{:margin$} |\n{line} | {source}\n{:margin$} | {:indent$}^",
        "", "", ""
    )
}

/// Returns `; did you mean …?` with the known word nearest to `word`, or an empty string if none is near.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map_or_else(String::new, |(_, nearest)| format!("; did you mean `{nearest}`?"))
}

/// Converts an error of the YAML library. This is the only function that depends on the format of its
/// messages.
pub(super) fn yaml_error(file: &str, yaml: &str, error: &serde_saphyr::Error) -> ProxyError {
    let mut options = serde_saphyr::RenderOptions::default();
    options.snippets = serde_saphyr::SnippetMode::Off;
    let text = error.without_snippet().render_with_options(options);
    let Some(place) = error.location() else {
        return ProxyError::Invalid(format!("{file}: {text}"));
    };
    let (line, column) = position(place);
    let text = text
        .replace(&format!(" at line {line}, column {column}"), "")
        .replace(&format!("line {line} column {column}: "), "")
        .replace(", set DuplicateKeyPolicy in Options if acceptable", "");
    // After `unknown field `x`, expected one of a, b`, suggest the nearest of the known names.
    let hint = text.split_once(", expected one of ").and_then(|(unknown, known)| {
        let word = unknown.split('`').nth(1)?;
        Some(did_you_mean(word, known.split(", ").map(|name| name.trim_matches('`'))))
    });
    let message = format!("{text}{}", hint.unwrap_or_default());
    ProxyError::Invalid(at(file, yaml, line, column, &message))
}

/// Returns the 1-based line and column of a place in a YAML file; 0 if it is not known.
pub(super) fn position(place: serde_saphyr::Location) -> (usize, usize) {
    let number = |value| usize::try_from(value).unwrap_or(0);
    (number(place.line()), number(place.column()))
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
    fn only_a_near_word_is_suggested() {
        assert_eq!(did_you_mean("litelm", ["litellm", "other"]), "; did you mean `litellm`?");
        assert_eq!(did_you_mean("kong", ["litellm"]), "");
    }
}
