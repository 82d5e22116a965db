//! How much the report for people contains.

use clap::ValueEnum;
#[cfg(test)]
use schemars::JsonSchema;
use serde::Deserialize;

/// Which failing cases are printed in full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureOutput {
    /// The first of each kind; the others are named.
    #[default]
    First,
    /// Every one.
    All,
    /// None: they are only named.
    None,
}

/// How much is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verbosity {
    /// Only the last lines: failing cases, counts and the next step (`-q`).
    Quiet,
    /// Failing cases too, and one line for each group of others.
    #[default]
    Normal,
    /// The cases and reasons of each group too, and the passing cases (`-v`).
    Verbose,
    /// Passing cases in full too, with both sides of the wire (`-vv`).
    Full,
}

impl Verbosity {
    /// The verbosity that `-q` and a number of `-v` choose; `None` without any of them.
    pub(crate) fn chosen(quiet: bool, verbose: u8) -> Option<Self> {
        match (quiet, verbose) {
            (true, _) => Some(Self::Quiet),
            (false, 0) => None,
            (false, 1) => Some(Self::Verbose),
            (false, _) => Some(Self::Full),
        }
    }
}
