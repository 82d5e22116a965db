//! The environment of a command: folders, variables, terminal.

use std::{
    ffi::OsString,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use tokio::time::Instant;

use super::{
    args::{Args, Color},
    failure::Failure,
    own_folder::{OWN, project_of},
    settings,
};
use crate::{
    proxy::{Definition, ProxyError, ProxyMode, default_cache},
    report::option,
};

/// The environment of a command.
#[derive(Clone)]
pub(super) struct CliContext {
    /// The current folder. Paths on the command line are relative to it.
    pub cwd: PathBuf,
    /// The project folder, which contains `scenarios/`, `proxies/`, `snapshots/` and `.upfault/`: that of the settings
    /// file, or else the nearest folder with `.upfault/`, or else the current folder.
    pub root: PathBuf,
    /// The settings file.
    pub config: Option<PathBuf>,
    /// The options that chose the settings file: `--config FILE`, `--no-config`, or none.
    pub settings_words: Vec<String>,
    /// The folder for installed proxies and logs.
    pub cache: PathBuf,
    /// Whether `CI` is set: then no snapshots are written.
    pub ci: bool,
    /// Whether to use colour on standard output.
    pub color_out: bool,
    /// Whether to use colour on standard error.
    pub color_err: bool,
    /// Whether to show progress on standard error.
    pub progress: bool,
    /// Whether the user can answer questions on a terminal.
    pub interactive: bool,
    /// The width of the terminal in columns; 0 means no limit.
    pub width: usize,
    /// When the command started.
    pub began: Instant,
}

impl CliContext {
    /// Reads the environment variables, the terminal and the current folder.
    #[expect(clippy::disallowed_methods, reason = "only this function reads the environment")]
    pub(super) fn read(args: &Args) -> Result<Self, Failure> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let plain = set("NO_COLOR").is_some();
        let colored = |terminal: bool| match args.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        let cwd = std::env::current_dir().map_err(Failure::io("cannot read the current folder"))?;
        let config = config(args, &cwd)?;
        Ok(Self {
            root: root(args.no_config, config.as_deref(), &cwd),
            cwd,
            config,
            settings_words: settings_words(args),
            cache: cache(set("UPFAULT_CACHE")),
            ci: set("CI").is_some_and(|value| value != "false" && value != "0"),
            color_out: colored(out),
            color_err: colored(err),
            progress: err && !plain,
            interactive: std::io::stdin().is_terminal() && out,
            width: if out { terminal_width() } else { 0 },
            began: Instant::now(),
        })
    }
}

impl CliContext {
    /// The context with the settings file and the project folder as they are now: a settings file may have been created or
    /// removed since. A file that an option chose stays.
    ///
    /// # Errors
    ///
    /// If there are two settings files.
    pub(super) fn found_again(&self) -> Result<Self, Failure> {
        let mut again = self.clone();
        if self.settings_words.is_empty() {
            again.config = nearest_config(&self.cwd)?;
            again.root = root(false, again.config.as_deref(), &self.cwd);
        }
        Ok(again)
    }

    /// Resolves a path of the command line.
    pub(super) fn place(&self, path: impl AsRef<Path>) -> PathBuf {
        self.cwd.join(path)
    }

    /// Resolves `path`, which is relative to `base`, if it exists there. Otherwise returns it unchanged: it may be
    /// the name of a scenario.
    pub(super) fn at_root(&self, base: &Path, path: &Path) -> PathBuf {
        let there = base.join(path);
        if base != self.root && there.exists() { there } else { path.to_owned() }
    }

    /// Finds a proxy definition, in the mode that follows after a colon or a comma. Paths in `spec` are relative to `base`.
    /// Asks the package index if the version means the newest one of several.
    pub(super) fn definition(&self, base: &Path, spec: &str) -> Result<Definition, ProxyError> {
        self.definition_as_written(base, spec)?.settled()
    }

    /// Finds a proxy definition whose version stays as it is written: no package index is asked.
    pub(super) fn definition_as_written(&self, base: &Path, spec: &str) -> Result<Definition, ProxyError> {
        let (proxy, words) = ProxyMode::split(spec);
        // The name of a folder may contain a comma.
        if words.is_empty() || base.join(spec).join(DEFINITION).is_file() {
            return self.plain_definition(base, spec);
        }
        self.plain_definition(base, &proxy)?.in_mode(&words, base)
    }

    fn plain_definition(&self, base: &Path, spec: &str) -> Result<Definition, ProxyError> {
        let place = spec.rsplit_once('@').map_or(spec, |(place, _)| place);
        let is_folder = |place: &str| base.join(place).join(DEFINITION).is_file();
        if base != self.root && (is_folder(spec) || is_folder(place)) {
            return Definition::find(&base.join(spec).display().to_string(), &self.root);
        }
        Definition::find(spec, &self.root)
    }
}

/// The file that makes a folder a proxy definition.
pub(super) const DEFINITION: &str = "proxy.yaml";

/// The settings file: the one that `--config` names, or the nearest one.
fn config(args: &Args, cwd: &Path) -> Result<Option<PathBuf>, Failure> {
    match &args.config {
        _ if args.no_config => Ok(None),
        None => nearest_config(cwd),
        Some(named) if cwd.join(named).is_file() => Ok(Some(cwd.join(named))),
        Some(named) => Err(Failure::Usage(format!(
            "cannot find the file {}\nhelp: pass --config a file such as `upfault.toml`, or omit it to use the nearest upfault.toml",
            named.display()
        ))),
    }
}

fn nearest_config(cwd: &Path) -> Result<Option<PathBuf>, Failure> {
    match settings::find(cwd).as_slice() {
        [] => Ok(None),
        [file] => Ok(Some(file.clone())),
        [first, second, ..] => Err(Failure::Usage(format!(
            "there are two settings files: {} and {}\nhelp: keep one of them, or choose one with `--config FILE`",
            first.display(),
            second.display()
        ))),
    }
}

/// The project folder: that of the settings file, or else the nearest folder with a folder `.upfault/`.
fn root(no_config: bool, config: Option<&Path>, cwd: &Path) -> PathBuf {
    let own = || cwd.ancestors().find(|above| above.join(OWN).is_dir()).filter(|_| !no_config);
    config.and_then(project_of).or_else(own).unwrap_or(cwd).to_owned()
}

fn settings_words(args: &Args) -> Vec<String> {
    match &args.config {
        Some(file) => option("--config", &file.display().to_string()),
        None if args.no_config => vec!["--no-config".to_owned()],
        None => Vec::new(),
    }
}

/// `UPFAULT_CACHE`, or the platform's cache folder.
fn cache(chosen: Option<OsString>) -> PathBuf {
    chosen.map_or_else(default_cache, PathBuf::from)
}

fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(0, |(width, _)| usize::from(width.0))
}

#[cfg(test)]
impl CliContext {
    /// A context in this folder, without environment variables and terminal.
    pub(super) fn for_tests(cwd: &Path, config: Option<&Path>) -> Self {
        Self {
            cwd: cwd.to_owned(),
            root: config.and_then(project_of).unwrap_or(cwd).to_owned(),
            config: config.map(Path::to_owned),
            settings_words: Vec::new(),
            cache: cwd.join("cache"),
            ci: false,
            color_out: false,
            color_err: false,
            progress: false,
            interactive: false,
            width: 0,
            began: Instant::now(),
        }
    }
}
