//! Whether a proxy could be installed and started here.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{definition::Definition, process::which};

/// How long a program may take to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at: `uv`, `cache folder`, `litellm 1.102.4`.
    pub what: String,
    /// Whether it is as it must be. An installation that is not there yet is no fault.
    pub ok: bool,
    /// What was found, and what to do about it.
    pub detail: String,
}

impl Definition {
    /// Looks at the programs that are needed, the cache folder and the installation.
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
        let writable = fs::create_dir_all(cache).and_then(|()| tempfile::tempfile_in(cache).map(drop));
        checks.push(Check {
            what: "cache folder".to_owned(),
            ok: writable.is_ok(),
            detail: match writable {
                Ok(()) => cache.display().to_string(),
                Err(error) => format!("{} cannot be written: {error}", cache.display()),
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
                detail: "not installed yet; the first run does it".to_owned(),
            },
        });
        checks
    }
}

/// The first line of `PROGRAM --version`, if it comes soon.
fn version(program: &Path) -> Option<String> {
    let mut output = tempfile::tempfile().ok()?;
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(output.try_clone().ok()?)
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().ok()?.is_none() {
        if Instant::now() >= deadline {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "a short look at a program, by a function that does not await"
        )]
        std::thread::sleep(Duration::from_millis(10));
    }
    use std::io::{Read, Seek};
    output.rewind().ok()?;
    let mut text = String::new();
    output.take(4096).read_to_string(&mut text).ok()?;
    text.lines().next().map(str::to_owned).filter(|line| !line.is_empty())
}
