//! The world, read once.

use std::{ffi::OsString, io::IsTerminal, path::PathBuf};

use etcetera::BaseStrategy;
use tokio::time::Instant;

use super::args::Color;

/// What the commands know of the world outside.
pub struct Context {
    /// The current folder.
    pub root: PathBuf,
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
    pub fn read(color: Color) -> std::io::Result<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let plain = set("NO_COLOR").is_some();
        let colored = |terminal: bool| match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => terminal && !plain,
        };
        Ok(Self {
            root: std::env::current_dir()?,
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
