//! Installing a proxy once per version.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{
    definition::Definition,
    error::ProxyError,
    installation::{Folder, InstallationUse},
    log::Log,
    process::{self, ProcessCommand, RunningProcess},
    source::hex,
    template,
};
use crate::{lock::Lock, shell};

/// No install command may take longer than this.
pub(super) const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Variables of the caller's shell that change what a package manager installs, or where. A proxy
/// that is installed without compiled byte code pays for it at every start.
const NOT_INHERITED: &[&str] =
    &["PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "NODE_ENV"];

/// A proxy that is ready to be launched. Nobody changes or removes what is installed as long as this,
/// a clone of it, or an instance that it has launched is there.
#[derive(Debug, Clone)]
pub struct Installed {
    pub(super) definition: Definition,
    pub(super) dir: PathBuf,
    pub(super) here: PathBuf,
    /// Held by every user of the installation; `None` where there can be no lock.
    pub(super) in_use: Option<Arc<Lock>>,
}

impl Installed {
    /// The folder that it is installed in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is installed.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Definition {
    /// The folder below `cache` that this version is installed in: `VERSION-HASH`, the hash being
    /// that of everything that decides what is in it, so that definitions which install the same
    /// share it.
    pub fn install_dir(&self, cache: &Path) -> Result<PathBuf, ProxyError> {
        const DIR: &str = "\u{1}dir";
        const HERE: &str = "\u{1}here";
        let mut hash = Sha256::new();
        let mut own_files = false;
        for command in self.install_commands(Path::new(DIR), Path::new(HERE))? {
            for word in command {
                own_files |= word.contains(HERE);
                hash.update(word.as_bytes());
                hash.update([0]);
            }
            hash.update([1]);
        }
        hash.update(self.version.as_bytes());
        hash.update(serde_json::Value::from(self.pins.clone()).to_string().as_bytes());
        if own_files {
            hash.update(self.source.here(cache).as_os_str().as_encoded_bytes());
            hash.update(self.source.digest().as_bytes());
        }
        let digest = hex(&hash.finalize()[..6]);
        let version: String = self
            .version
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' })
            .collect();
        let cache = std::path::absolute(cache).map_err(ProxyError::io("find", cache))?;
        Ok(cache.join("proxies").join(format!("{version}-{digest}")))
    }

    /// Whether this version is completely installed.
    pub fn is_installed(&self, cache: &Path) -> bool {
        self.install_dir(cache).is_ok_and(|dir| Folder::new(&dir).is_complete())
    }

    /// Installs this version below `cache` unless it is there, and describes each step in a line.
    /// Processes that install the same do it one after the other, and wait for those that use what is to
    /// be replaced. Dropping the future ends the command that is running; what it left does not count as
    /// an installation.
    ///
    /// # Errors
    /// [`ProxyError::MissingProgram`], [`ProxyError::Install`] with the last lines of the output,
    /// [`ProxyError::Locked`], [`ProxyError::CannotLock`], [`ProxyError::Io`].
    pub async fn install(
        &self,
        cache: &Path,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Installed, ProxyError> {
        let dir = self.install_dir(cache)?;
        let cache = std::path::absolute(cache).map_err(ProxyError::io("find", cache))?;
        fs::create_dir_all(cache.join("proxies")).map_err(ProxyError::io("create", cache.join("proxies")))?;
        let here = self.source.unpack(&cache)?;
        let folder = Folder::new(&dir);
        loop {
            match folder.turn(&self.title(), progress).await? {
                InstallationUse::Use(lock) => {
                    let in_use = lock.map(Arc::new);
                    return Ok(Installed { definition: self.clone(), dir, here, in_use });
                }
                InstallationUse::Install(alone) => {
                    self.install_alone(&folder, &alone, &dir, &here, progress).await?
                }
            }
        }
    }

    /// For the one process that holds the lock `alone`.
    async fn install_alone(
        &self,
        folder: &Folder,
        alone: &Lock,
        dir: &Path,
        here: &Path,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<(), ProxyError> {
        if dir.exists() {
            progress(format!("removing an unfinished installation of {}", self.title()));
            folder.clear(alone)?;
        }
        // In its final place, because virtual environments cannot be moved.
        fs::create_dir_all(dir).map_err(ProxyError::io("create", dir))?;
        let commands = self.install_commands(dir, here)?;
        if !commands.is_empty() {
            self.find_programs()?;
            self.run_commands(&commands, dir, folder.log_path(), progress).await?;
        }
        let stamp = json!({"proxy": self.name, "version": self.version, "commands": commands});
        folder.complete(alone, &format!("{stamp:#}\n"))
    }

    async fn run_commands(
        &self,
        commands: &[Vec<String>],
        dir: &Path,
        path: PathBuf,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<(), ProxyError> {
        let (mut log, output) = Log::create(path.clone()).map_err(ProxyError::io("write", &path))?;
        log.watch(super::log::LIMIT);
        let environment = inherited(std::env::vars_os());
        for (index, words) in commands.iter().enumerate() {
            progress(format!(
                "installing {} ({}/{}): {}",
                self.title(),
                index + 1,
                commands.len(),
                shell::command(words)
            ));
            let command =
                ProcessCommand { words, directory: dir, environment: environment.clone(), output: &output };
            let mut group = RunningProcess::spawn(&command).map_err(|source| match source.kind() {
                std::io::ErrorKind::NotFound => self.missing(words.first().map_or("", String::as_str)),
                _ => ProxyError::Spawn {
                    proxy: self.title(),
                    program: words.first().cloned().unwrap_or_default(),
                    source,
                    help: format!("it is the first word of an install command of {}", self.file()),
                },
            })?;
            let how = match timeout(PATIENCE, group.wait()).await {
                Ok(status) if status.success() => continue,
                Ok(status) => process::how(status),
                Err(_) => format!("took longer than {}", humantime::format_duration(PATIENCE)),
            };
            return Err(ProxyError::Install {
                proxy: self.title().into(),
                command: shell::command(words).into(),
                how: how.into(),
                tail: log.quoted_tail(12).into(),
                log: path,
                help: self.install_help(dir)?.into(),
            });
        }
        Ok(())
    }

    fn install_help(&self, dir: &Path) -> Result<String, ProxyError> {
        match &self.document.install_help {
            None => Ok("the last lines above are the command's own".to_owned()),
            Some(text) => {
                let environment = template::environment(&self.source);
                let context = self.install_context(dir, &self.source.here(dir));
                template::render(&environment, &self.source, text, &context)
            }
        }
    }

    /// The install commands with everything filled in.
    fn install_commands(&self, dir: &Path, here: &Path) -> Result<Vec<Vec<String>>, ProxyError> {
        let environment = template::environment(&self.source);
        let context = self.install_context(dir, here);
        self.document
            .install
            .iter()
            .map(|command| template::render_command(&environment, &self.source, command, &context))
            .collect()
    }

    /// Every program that the definition names must be there before anything is begun.
    fn find_programs(&self) -> Result<(), ProxyError> {
        match self.needs.keys().find(|program| process::which(program).is_none()) {
            Some(program) => Err(self.missing(program)),
            None => Ok(()),
        }
    }

    fn missing(&self, program: &str) -> ProxyError {
        ProxyError::MissingProgram {
            proxy: self.title(),
            program: program.to_owned(),
            help: self.needs.get(program).map_or_else(
                || format!("install `{program}`, or correct the command in {}", self.file()),
                Clone::clone,
            ),
        }
    }
}

/// The environment of install commands: the caller's (package managers need its proxies, mirrors and
/// certificates) without what changes the outcome.
fn inherited(all: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    all.filter(|(name, _)| !NOT_INHERITED.iter().any(|not| name == not)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_does_not_inherit_what_would_leave_it_without_byte_code() {
        let all = [("PYTHONDONTWRITEBYTECODE", "1"), ("UV_INDEX_URL", "x")]
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        assert_eq!(inherited(all.clone().into_iter()), all[1..]);
    }

    #[test]
    fn definitions_that_install_the_same_share_it_and_a_version_or_a_pin_makes_the_difference() {
        let root = tempfile::tempdir().unwrap();
        let dir = |name: &str, version: &str, pin: &str, word: &str| {
            let folder = root.path().join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(
                folder.join("proxy.yaml"),
                format!(
                    "name: {name}\nversion: '{version}'\nversions: {{'{version}': {{pin: {pin}}}}}\n\
                     apis: {{}}\ninstall: [[{word}, '{{{{ dir }}}}', '{{{{ version }}}}']]\n\
                     launch: {{command: [x]}}\nready: {{get: /}}\n"
                ),
            )
            .unwrap();
            let definition = Definition::find(&format!("./{name}"), root.path()).unwrap();
            definition.install_dir(Path::new("/cache")).unwrap()
        };
        let first = dir("a", "1", "p", "pip");
        assert_eq!(first, dir("b", "1", "p", "pip"));
        for other in [dir("a", "2", "p", "pip"), dir("a", "1", "q", "pip"), dir("a", "1", "p", "uv")] {
            assert_ne!(first, other);
        }
    }
}
