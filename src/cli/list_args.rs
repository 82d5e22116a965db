//! The options of `upfault list`.

use clap::Args as ClapArgs;

use super::{catalogue::CatalogueRows, run_args::SelectArgs};

/// The options that list something other than cases.
const OF_CASES: [&str; 6] = ["paths", "filter", "shard", "durations", "yaml", "proxy"];

/// Options of `upfault list`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    /// The cases.
    #[command(flatten)]
    pub select: SelectArgs,
    /// Only what contains these words in its name, title, reason, tags or references; repeatable
    #[arg(long, short, value_name = "WORDS", conflicts_with = "catalogue")]
    pub search: Vec<String>,
    /// Print the files of the scenarios instead of a list of their cases
    #[arg(long, conflicts_with = "proxy")]
    pub yaml: bool,
    /// Show which cases this proxy would skip, and why: `builtin`, NAME[@VERSION][:VARIANT], or a folder with a proxy.yaml
    #[arg(long, value_name = "PROXY")]
    pub proxy: Option<String>,
    /// List the words of the catalogue instead of cases.
    #[command(flatten)]
    pub words: WordListArgs,
    /// List the errors of the mock providers instead of cases, each with its source and the day on which the source was last
    /// read
    #[arg(
        long,
        value_enum,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "old",
        conflicts_with_all = OF_CASES
    )]
    pub catalogue: Option<CatalogueRows>,
}

/// Which words to list instead of cases; at most one.
#[derive(Debug, ClapArgs)]
#[group(multiple = false)]
pub(crate) struct WordListArgs {
    /// List the providers
    #[arg(long, conflicts_with_all = OF_CASES)]
    pub providers: bool,
    /// List the errors that providers send, by the names that scenarios use
    #[arg(long, conflicts_with_all = OF_CASES)]
    pub errors: bool,
    /// List the faults, as scenarios write them
    #[arg(long, conflicts_with_all = OF_CASES)]
    pub faults: bool,
    /// List the rules of the contract
    #[arg(long, conflicts_with_all = OF_CASES)]
    pub rules: bool,
    /// List the defects of the embedded proxy
    #[arg(long, conflicts_with_all = OF_CASES)]
    pub defects: bool,
}
