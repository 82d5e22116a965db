//! Installs a proxy, once per version.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::{
    definition::Definition,
    error::ProxyError,
    installation::{COMMAND_LIMIT, InstallFolder, InstallStamp, InstallationUse},
    inventory::INSTALLATIONS,
    log::Log,
    process::{self, ProcessCommand, RunningProcess},
    source::hex,
    template,
};
use crate::{lock::Lock, platform::OperatingSystem, shell};

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
    /// Returns the folder below `cache` for this version: `NAME-VERSION-HASH`. The hash covers everything that
    /// determines its contents, so definitions of one name that install the same software share one folder.
    pub fn install_dir(&self, cache: &Path) -> Result<PathBuf, ProxyError> {
        const DIR: &str = "\u{1}dir";
        const HERE: &str = "\u{1}here";
        let mut hash = Sha256::new();
        let mut own_files = false;
        // The date of a release never changes, so the folder can be found without asking for it.
        let dated = Self { published_by: Some("\u{1}date".to_owned()), ..self.clone() };
        for fallback in [false, true] {
            let definition = Self { fallback, ..dated.clone() };
            for command in definition.install_commands(Path::new(DIR), Path::new(HERE))? {
                for word in command {
                    // A file that is named alone is the only one that matters.
                    match word.split_once(&format!("{HERE}/")).map(|(_, name)| self.source.read(name)) {
                        Some(Ok(text)) => hash.update(text.as_bytes()),
                        _ => own_files |= word.contains(HERE),
                    }
                    hash.update(word.as_bytes());
                    hash.update([0]);
                }
                hash.update([1]);
            }
        }
        hash.update(self.version.as_bytes());
        hash.update(serde_json::Value::from(self.pins.clone()).to_string().as_bytes());
        if own_files {
            hash.update(self.source.here(cache).as_os_str().as_encoded_bytes());
            hash.update(self.source.digest().as_bytes());
        }
        let digest = hex(&hash.finalize()[..6]);
        let plain = |text: &str| -> String {
            text.chars()
                .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' })
                .collect()
        };
        // A definition that extends another one shares its folder.
        let (name, version) = (plain(&self.document.name.value), plain(&self.version));
        let cache = std::path::absolute(cache).map_err(ProxyError::io("resolve the path", cache))?;
        Ok(cache.join(INSTALLATIONS).join(format!("{name}-{version}-{digest}")))
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
    /// [`ProxyError::NotOnThisSystem`], [`ProxyError::MissingProgram`], [`ProxyError::Install`] with the last lines of the output,
    /// [`ProxyError::Locked`], [`ProxyError::CannotLock`], [`ProxyError::Io`].
    pub async fn install(
        &self,
        cache: &Path,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<Installed, ProxyError> {
        if let Some(reason) = self.unusable_on(OperatingSystem::HERE) {
            return Err(ProxyError::NotOnThisSystem { reason });
        }
        let dir = self.install_dir(cache)?;
        let cache = std::path::absolute(cache).map_err(ProxyError::io("resolve the path", cache))?;
        let all = cache.join(INSTALLATIONS);
        fs::create_dir_all(&all).map_err(ProxyError::io("create", &all))?;
        let here = self.source.unpack(&cache)?;
        let folder = InstallFolder::new(&dir);
        loop {
            match folder.turn(&self.title(), progress).await? {
                InstallationUse::Use(lock) => {
                    let in_use = lock.map(Arc::new);
                    let definition = self.as_installed(&folder);
                    return Ok(Installed { definition, dir, here, in_use });
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
        if self.needs_installation() {
            self.check_programs()?;
        }
        let dated = self.dated(progress).await?;
        let commands = dated.install_commands(dir, here)?;
        let instead = Self { fallback: true, ..dated.clone() }.install_commands(dir, here)?;
        let fallback = self.run_commands(&commands, &instead, dir, folder.log_path(), progress).await?;
        let stamp = InstallStamp {
            proxy: self.name.clone(),
            version: self.version.clone(),
            published_by: dated.published_by,
            fallback,
            commands: if fallback { instead } else { commands },
        };
        folder.complete(alone, &stamp)
    }

    /// The definition with what its installation in this cache depended on.
    pub(crate) fn with_stamp(&self, cache: &Path) -> Self {
        self.install_dir(cache)
            .map_or_else(|_| self.clone(), |dir| self.as_installed(&InstallFolder::new(&dir)))
    }

    /// The definition with what its installation depended on: the date of the release, and whether requirements were
    /// replaced.
    fn as_installed(&self, folder: &InstallFolder) -> Self {
        let stamp = folder.stamp();
        Self {
            published_by: stamp.as_ref().and_then(|stamp| stamp.published_by.clone()),
            fallback: stamp.is_some_and(|stamp| stamp.fallback),
            ..self.clone()
        }
    }

    /// Returns the command that installed this version, if requirements of it were replaced.
    pub fn installed_instead(&self, cache: &Path) -> Option<String> {
        let stamp = InstallFolder::new(&self.install_dir(cache).ok()?).stamp()?;
        stamp.fallback.then(|| stamp.commands.last().map(|command| shell::command(command)))?
    }

    /// The definition with the date of the release, if the install commands depend on it.
    async fn dated(&self, progress: &(dyn Fn(String) + Sync)) -> Result<Self, ProxyError> {
        let mut needs_date = false;
        for command in self.document.install.iter().chain(&self.mode.install) {
            needs_date |= self.needs_date(command)?;
        }
        if !needs_date {
            return Ok(self.clone());
        }
        progress(format!("finding out when {} was published", self.title()));
        let asking = self.clone();
        let asked = tokio::task::spawn_blocking(move || asking.ask_published_by()).await;
        // The task is never cancelled, and does not panic.
        let published_by = asked.unwrap_or(Ok(None))?;
        Ok(Self { published_by, ..self.clone() })
    }

    /// Runs the commands. From the first one that fails and has another form in `instead`, these follow. Returns whether they
    /// did.
    async fn run_commands(
        &self,
        commands: &[Vec<String>],
        instead: &[Vec<String>],
        dir: &Path,
        path: PathBuf,
        progress: &(dyn Fn(String) + Sync),
    ) -> Result<bool, ProxyError> {
        let (mut log, output) = Log::create(path.clone()).map_err(ProxyError::io("write", &path))?;
        log.watch(super::log::LIMIT);
        let environment = environment_of_installers();
        let mut fallback = false;
        let mut failed_before = String::new();
        let mut index = 0;
        while let Some(words) = if fallback { instead } else { commands }.get(index) {
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
                Ok(status) if status.success() => {
                    index += 1;
                    continue;
                }
                Ok(status) => process::how(status),
                Err(_) => format!("took longer than {}", humantime::format_duration(COMMAND_LIMIT)),
            };
            if !fallback && instead.get(index).is_some_and(|other| other != words) {
                fallback = true;
                let tail = log.quoted_tail(12);
                progress(format!(
                    "that {how}; trying again with other requirements, as {} says\n{tail}",
                    self.file()
                ));
                failed_before = format!("{tail}  and with other requirements:\n");
                continue;
            }
            return Err(ProxyError::Install {
                proxy: self.title().into(),
                command: shell::command(words).into(),
                how: how.into(),
                tail: format!("{failed_before}{}", log.quoted_tail(12)).into(),
                log: path,
                help: self.install_help(dir)?.into(),
            });
        }
        Ok(fallback)
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
        let commands = self.document.install.iter().chain(&self.mode.install);
        commands
            .map(|command| template::render_command(&environment, &self.source, command, &context))
            .collect()
    }

    /// Checks that all required programs exist, before the first command runs.
    pub(super) fn check_programs(&self) -> Result<(), ProxyError> {
        match self.missing_program() {
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

/// Returns the environment of commands that install or ask a package index.
pub(super) fn environment_of_installers() -> Vec<(OsString, OsString)> {
    inherited(std::env::vars_os())
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
    fn definitions_share_a_folder_unless_their_names_commands_versions_or_pins_differ() {
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
        assert_eq!(first, dir("a", "1", "p", "pip"));
        assert!(first.file_name().unwrap().to_str().unwrap().starts_with("a-1-"), "{}", first.display());
        for other in [
            dir("b", "1", "p", "pip"),
            dir("a", "2", "p", "pip"),
            dir("a", "1", "q", "pip"),
            dir("a", "1", "p", "uv"),
        ] {
            assert_ne!(first, other);
        }
    }
}
