//! The options of `upfault adopt`, as clap parses them.

use std::{path::PathBuf, time::Duration};

use clap::Args as ClapArgs;

use super::{
    report_to::ReportTo,
    run_args::{FILTER_HELP, OutputArgs, RunArgs, SelectArgs},
};

/// Options of `upfault adopt`.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct AdoptArgs {
    /// The configuration file of your proxy, for example the config.yaml of LiteLLM
    #[arg(value_name = "CONFIG")]
    pub file: PathBuf,
    /// NAME[@VERSION][:VARIANT], or a folder with a proxy.yaml that says how to adopt a configuration
    #[arg(long, value_name = "PROXY", default_value = "litellm")]
    pub proxy: String,
    /// Set an environment variable that the configuration reads (`NAME=VALUE`), or a setting in it (`a.b=VALUE`); repeatable
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Only cases that match, for example `limits/* & stream`, or `*@gpt-4o` for one model (details: `--help`)
    #[arg(long, value_name = "EXPR", long_help = FILTER_HELP)]
    pub filter: Option<String>,
    /// Test every model, also those that differ only in their names, prices and limits
    #[arg(long)]
    pub all: bool,
    /// Skip cases that wait longer than this for a timeout of yours
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = humantime::parse_duration)]
    pub patience: Duration,
    /// Print what would be tested, and start nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Stop after N failing cases; 0 runs every case [default: 0; without N: 1]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "1", value_name = "N")]
    pub fail_fast: Option<usize>,
    /// Exit with 1 if more than N cases are inconclusive [default: 5]
    #[arg(long, value_name = "N")]
    pub allow_inconclusive: Option<usize>,
    /// Maximum concurrent cases [default: adapts to the speed of the proxy]
    #[arg(long, value_name = "N", env = "UPFAULT_JOBS", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Seed of all random choices [default: 0]
    #[arg(long, value_name = "N", env = "UPFAULT_SEED")]
    pub seed: Option<u64>,
    /// Write a report, as for `upfault run`; repeatable
    #[arg(long, value_name = "FORMAT[=PATH]")]
    pub report: Vec<ReportTo>,
    /// How to decide disputed questions, as for `upfault run` [default: default]
    #[arg(long, value_name = "NAME|FILE", env = "UPFAULT_POLICY")]
    pub policy: Option<String>,
    /// What to print.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl AdoptArgs {
    /// The options of a run of all cases with `proxy`.
    pub(super) fn of_run(&self, proxy: String) -> RunArgs {
        RunArgs {
            select: SelectArgs::default(),
            proxy: Some(proxy),
            fail_fast: self.fail_fast,
            allow_inconclusive: self.allow_inconclusive,
            jobs: self.jobs,
            seed: self.seed,
            report: self.report.clone(),
            policy: self.policy.clone(),
            output: self.output.clone(),
            ..RunArgs::default()
        }
    }
}
