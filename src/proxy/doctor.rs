//! Checks whether a proxy can be installed and started on this machine.

use std::{fs, io, path::Path, time::Duration};

use regex::Regex;

use super::{ask, definition::Definition, template};
use crate::platform::which;

/// How long a program may take to print its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// One check and its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked: `uv`, `cache folder`, `litellm 1.102.4`.
    pub what: String,
    /// Whether the check passed. A proxy that is not installed yet passes.
    pub ok: bool,
    /// What was found, and what the user can do about it.
    pub detail: String,
}

impl Definition {
    /// Returns the first program that it needs and that is not on the PATH.
    pub(crate) fn missing_program(&self) -> Option<&str> {
        self.needs.keys().map(String::as_str).find(|program| which(program).is_none())
    }

    /// Returns the first program that is not on the PATH, of those that a run needs now. A proxy that is installed in `cache`
    /// needs only the program of its launch command.
    pub(crate) fn missing_for_a_run(&self, cache: &Path) -> Option<&str> {
        if !self.needs_installation() || !self.is_installed(cache) {
            return self.missing_program();
        }
        let (first, _) = self.document.launch.command.value.first()?.texts();
        let launcher = first.first()?.source.as_str();
        self.needs.keys().map(String::as_str).find(|program| *program == launcher && which(program).is_none())
    }

    /// Whether it has install commands.
    pub(crate) fn needs_installation(&self) -> bool {
        !self.document.install.is_empty() || !self.mode.install.is_empty()
    }

    /// Returns the version of a proxy that upfault does not install, as its program prints it: `1.22.1`.
    pub(crate) fn own_version(&self) -> Option<String> {
        let command = self.document.repro.versions.values().next().filter(|_| !self.needs_installation())?;
        let environment = template::environment(&self.source);
        let context = self.install_context(Path::new(""), Path::new(""));
        let words = template::render_command(&environment, &self.source, command, &context).ok()?;
        let number = Regex::new(r"\d+(\.\d+)+").ok()?;
        Some(number.find(&first_line(&words)?)?.as_str().to_owned())
    }

    /// Checks the required programs, the cache folder and the installation.
    pub fn doctor(&self, cache: &Path) -> Vec<Check> {
        let mut checks: Vec<Check> = self
            .needs
            .iter()
            .map(|(program, help)| match which(program) {
                Some(path) => Check {
                    what: program.clone(),
                    ok: true,
                    detail: match version(&path) {
                        Some(version) => format!("{version} ({})", path.display()),
                        None => path.display().to_string(),
                    },
                },
                None => {
                    Check { what: program.clone(), ok: false, detail: format!("not on the PATH: {help}") }
                }
            })
            .collect();
        let writable = is_writable(cache);
        checks.push(Check {
            what: "cache folder".to_owned(),
            ok: writable.is_ok(),
            detail: match writable {
                Ok(()) => cache.display().to_string(),
                Err(error) => format!("cannot write to {}: {error}", cache.display()),
            },
        });
        checks.push(match self.install_dir(cache) {
            Err(error) => Check { what: self.title(), ok: false, detail: error.to_string() },
            Ok(dir) if self.is_installed(cache) => {
                Check { what: self.title(), ok: true, detail: format!("installed in {}", dir.display()) }
            }
            Ok(_) => Check {
                what: self.title(),
                ok: true,
                detail: "not installed yet; the first run installs it".to_owned(),
            },
        });
        checks
    }
}

/// Checks that upfault can write to a folder, which it creates if it does not exist.
pub(crate) fn is_writable(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder).map(drop))
}

/// Returns the first line of `PROGRAM --version`.
fn version(program: &Path) -> Option<String> {
    first_line(&[program.display().to_string(), "--version".to_owned()])
}

/// Returns the first line that a command prints, on standard output or, if that is empty, on standard error. Returns `None`
/// if the command fails or takes longer than [`PATIENCE`].
pub(super) fn first_line(command: &[String]) -> Option<String> {
    let printed = ask::output(command, None, PATIENCE).ok()?;
    let first = |text: &String| text.lines().next().map(str::to_owned).filter(|line| !line.is_empty());
    first(&printed.out).or_else(|| first(&printed.err))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_programs_print_their_version_on_standard_error() {
        let said = |script: &str| first_line(&["sh", "-c", script].map(str::to_owned));
        assert_eq!(said("echo warning >&2; echo tool 1.2; echo more").unwrap(), "tool 1.2");
        assert_eq!(said("echo tool 1.2 >&2").unwrap(), "tool 1.2");
        assert_eq!(said("echo no such option >&2; exit 1"), None);
    }
}
