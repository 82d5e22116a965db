//! The world, read once.

use std::{
    ffi::OsString,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use tokio::time::Instant;

use super::{
    args::{Args, Color},
    failure::Failure,
    settings,
};
use crate::{
    proxy::{Definition, ProxyError},
    report::option,
};

/// What the commands know of the world outside.
pub struct Context {
    /// The current folder: what is written on the command line is meant from here.
    pub cwd: PathBuf,
    /// The project's folder, which is that of its settings: `scenarios/`, `proxies/` and `snapshots/` are
    /// looked for here. The current folder where there are no settings.
    pub root: PathBuf,
    /// The file with the project's settings.
    pub config: Option<PathBuf>,
    /// The words that chose the settings: `--config FILE`, `--no-config`, or none.
    pub settings_words: Vec<String>,
    /// Where proxies are installed and logs are kept.
    pub cache: PathBuf,
    /// `CI` is set: nothing is written to snapshots.
    pub ci: bool,
    /// Standard output may have colour.
    pub color_out: bool,
    /// Standard error may have colour.
    pub color_err: bool,
    /// Standard error is a terminal.
    pub progress: bool,
    /// Standard input is a terminal that can be asked.
    pub interactive: bool,
    /// Columns of the terminal; 0 for no limit.
    pub width: usize,
    /// When the command began.
    pub began: Instant,
}

impl Context {
    /// Reads environment, terminal and current folder.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn read(args: &Args) -> Result<Self, Failure> {
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
            root: config.as_deref().and_then(Path::parent).unwrap_or(&cwd).to_owned(),
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

impl Context {
    /// A path of the command line.
    pub fn place(&self, path: impl AsRef<Path>) -> PathBuf {
        self.cwd.join(path)
    }

    /// A path that means from the project's folder what `path` means from `base`, if there is something;
    /// a name, and a path that leads nowhere, stays what it is.
    pub fn at_root(&self, base: &Path, path: &Path) -> PathBuf {
        let there = base.join(path);
        if base != self.root && there.exists() { there } else { path.to_owned() }
    }

    /// The proxy definition that is meant by words which were written at `base`.
    pub fn definition(&self, base: &Path, spec: &str) -> Result<Definition, ProxyError> {
        let place = spec.rsplit_once('@').map_or(spec, |(place, _)| place);
        let is_folder = |place: &str| base.join(place).join(DEFINITION).is_file();
        if base != self.root && (is_folder(spec) || is_folder(place)) {
            return Definition::find(&base.join(spec).display().to_string(), &self.root);
        }
        Definition::find(spec, &self.root)
    }
}

/// What makes a folder a proxy definition.
pub const DEFINITION: &str = "proxy.yaml";

/// The settings that are named, or those that are found.
fn config(args: &Args, cwd: &Path) -> Result<Option<PathBuf>, Failure> {
    match &args.config {
        _ if args.no_config => Ok(None),
        None => Ok(settings::find(cwd)),
        Some(named) if cwd.join(named).is_file() => Ok(Some(cwd.join(named))),
        Some(named) => Err(Failure::Usage(format!(
            "there is no file {}\nhelp: --config names a file like `upfault.toml`; leave it out for the one of this folder",
            named.display()
        ))),
    }
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
    chosen.map(PathBuf::from).unwrap_or_else(|| match etcetera::choose_base_strategy() {
        Ok(strategy) => strategy.cache_dir().join("upfault"),
        // Without a home folder there is still the current one.
        Err(_) => PathBuf::from(".upfault-cache"),
    })
}

fn terminal_width() -> usize {
    terminal_size::terminal_size().map_or(0, |(width, _)| usize::from(width.0))
}

#[cfg(test)]
impl Context {
    /// One in this folder, in a world that says nothing.
    pub fn for_tests(cwd: &Path, config: Option<&Path>) -> Self {
        Self {
            cwd: cwd.to_owned(),
            root: config.and_then(Path::parent).unwrap_or(cwd).to_owned(),
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
