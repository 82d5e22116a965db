//! Installs a proxy, once per version.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{
    definition::Definition,
    error::ProxyError,
    installation::{COMMAND_LIMIT, InstallFolder, InstallationUse},
    log::Log,
    process::{self, ProcessCommand, RunningProcess},
    source::hex,
    template,
};
use crate::{lock::Lock, shell};

/// Environment variables that install commands do not inherit, because they change what a package manager
/// installs, or where. A proxy that is installed without compiled byte code starts slowly every time.
const NOT_INHERITED: &[&str] =
    &["PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "NODE_ENV"];

/// A proxy that is ready to be launched. No process changes or removes the installation while this value, a
/// clone of it, or an instance that it has launched exists.
#[derive(Debug, Clone)]
pub struct Installed {
    pub(super) definition: Definition,
    pub(super) dir: PathBuf,
    pub(super) here: PathBuf,
    /// The shared lock on the installation; `None` if the file cannot be locked.
    pub(super) in_use: Option<Arc<Lock>>,
}

impl Installed {
    /// Returns the folder of the installation.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the definition that was installed.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }
}

impl Definition {
    /// Returns the folder below `cache` for this version: `VERSION-HASH`. The hash covers everything that
    /// determines its contents, so definitions that install the same software share one folder.
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
        let cache = std::path::absolute(cache).map_err(ProxyError::io("resolve the path", cache))?;
        Ok(cache.join("proxies").join(format!("{version}-{digest}")))
    }

    /// Whether the installation of this version is complete.
    pub fn is_installed(&self, cache: &Path) -> bool {
        self.install_dir(cache).is_ok_and(|dir| InstallFolder::new(&dir).is_complete())
    }

    /// Installs this version below `cache` if it is not installed yet, and reports each step in one line.
    /// Processes that install the same version do so one after the other. They wait for processes that use
    /// the installation to be replaced. Dropping the future stops the running command; an incomplete
    /// installation does not count as installed.
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
        let cache = std::path::absolute(cache).map_err(ProxyError::io("resolve the path", cache))?;
        fs::create_dir_all(cache.join("proxies")).map_err(ProxyError::io("create", cache.join("proxies")))?;
        let here = self.source.unpack(&cache)?;
        let folder = InstallFolder::new(&dir);
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

    /// Installs this version. The caller must hold the exclusive lock `alone`.
    async fn install_alone(
        &self,
        folder: &InstallFolder,
        alone: &Lock,
        dir: &Path,
        here: &Path,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<(), ProxyError> {
        if dir.exists() {
            progress(format!("removing an unfinished installation of {}", self.title()));
            folder.clear(alone)?;
        }
        // Install into the final folder, because virtual environments cannot be moved.
        fs::create_dir_all(dir).map_err(ProxyError::io("create", dir))?;
        let commands = self.install_commands(dir, here)?;
        if !commands.is_empty() {
            self.check_programs()?;
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
                    help: format!("check the first word of the install command in {}", self.file()),
                },
            })?;
            let how = match timeout(COMMAND_LIMIT, group.wait()).await {
                Ok(status) if status.success() => continue,
                Ok(status) => process::how(status),
                Err(_) => format!("took longer than {}", humantime::format_duration(COMMAND_LIMIT)),
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
            None => Ok("the lines above are the end of the output of this command".to_owned()),
            Some(text) => {
                let environment = template::environment(&self.source);
                let context = self.install_context(dir, &self.source.here(dir));
                template::render(&environment, &self.source, text, &context)
            }
        }
    }

    /// Returns the install commands with their templates rendered.
    pub(super) fn install_commands(&self, dir: &Path, here: &Path) -> Result<Vec<Vec<String>>, ProxyError> {
        let environment = template::environment(&self.source);
        let context = self.install_context(dir, here);
        self.document
            .install
            .iter()
            .map(|command| template::render_command(&environment, &self.source, command, &context))
            .collect()
    }

    /// Checks that all required programs exist, before the first command runs.
    fn check_programs(&self) -> Result<(), ProxyError> {
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

/// Returns the environment of install commands: the caller's, which may contain network proxies, mirrors and
/// certificates for package managers, without the variables in [`NOT_INHERITED`].
fn inherited(all: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    all.filter(|(name, _)| !NOT_INHERITED.iter().any(|not| name == not)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_does_not_inherit_a_variable_that_prevents_byte_code() {
        let all = [("PYTHONDONTWRITEBYTECODE", "1"), ("UV_INDEX_URL", "x")]
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        assert_eq!(inherited(all.clone().into_iter()), all[1..]);
    }

    #[test]
    fn definitions_share_a_folder_unless_their_commands_versions_or_pins_differ() {
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
