//! The options of `upfault run`, of which other commands have some too.

use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs};

use super::{listen::listen_address, mode_args::ModeArgs, report_to::ReportTo};
use crate::{
    report::{FailureOutput, ProxyReport},
    shard::Shard,
};

/// Scenario files and folders.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct PathArgs {
    /// Scenario files or folders, or names as `upfault list` prints them (`limits`, `limits/rate-limit`) [default: the
    /// `scenarios` of upfault.toml, or all]
    pub paths: Vec<PathBuf>,
}

/// Options that select cases.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct SelectArgs {
    /// Scenario files and folders.
    #[command(flatten)]
    pub paths: PathArgs,
    /// Only cases that match, for example `stream/* & !tag:mid-stream` (details: `--help`)
    #[arg(long, value_name = "EXPR", long_help = FILTER_HELP)]
    pub filter: Option<String>,
    /// Only part K of N parts that take about the same time, for example `1/4`; `upfault merge` joins their reports
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
    /// The only cases to run: those that failed in a stored report.
    #[arg(skip)]
    pub only: Option<Vec<String>>,
    /// Durations of an earlier run, by which `--shard` splits: a file that `--report durations=PATH` wrote [default: those
    /// of a run with LiteLLM]
    #[arg(long, value_name = "FILE")]
    pub durations: Option<PathBuf>,
}

/// How to write a filter.
pub(super) const FILTER_HELP: &str = "\
Only cases that match the expression:
  limits/*            a case id; `*` matches any text
  case:limits/a       exactly this case; case:\"a b\" for ids with spaces or &|!()
  tag:stream          a tag of the scenario
  level:required      the scenario's level
  provider:azure      the provider behind the proxy
  api:cohere/chat     the API that the caller uses
  stream, plain       whether the caller requests a stream
  !A, A & B, A | B, (A)";

pub(super) const STORED_FILTER_HELP: &str = "\
Only cases that match the expression:
  limits/*            a case id; `*` matches any text
  case:limits/a       exactly this case; case:\"a b\" for ids with spaces or &|!()
  verdict:known       the verdict
  rule:headers.*      a rule that the case breaks
  tag:stream          a tag of the scenario
  level:required      the scenario's level
  provider:azure      the provider behind the proxy
  api:cohere/chat     the API that the caller uses
  stream, plain       whether the caller requests a stream
  !A, A & B, A | B, (A)";

/// Options of `upfault run`.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct RunArgs {
    /// Options that select cases.
    #[command(flatten)]
    pub select: SelectArgs,
    /// `builtin`, `builtin:DEFECT`, NAME[@VERSION][:VARIANT], a folder with a proxy.yaml, or the URL of a running proxy.
    /// VERSION can be `latest`, or `1.106` for its newest patch
    /// [default: builtin]
    #[arg(long, value_name = "PROXY", env = "UPFAULT_PROXY")]
    pub proxy: Option<String>,
    /// Options that change the proxy for this run.
    #[command(flatten)]
    pub mode: ModeArgs,
    /// Only a slice: the fastest case for each folder of scenarios and each API, all on one instance of the proxy
    #[arg(long, conflicts_with = "shard")]
    pub quick: bool,
    /// Accept the results of this run as the new snapshots, except cases that break required rules
    #[arg(long)]
    pub accept: bool,
    /// With `--accept`: accept cases that break required rules too
    #[arg(long, requires = "accept")]
    pub force: bool,
    /// Fail the run for known findings too; `--strict=false` replaces the setting in upfault.toml
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    pub strict: Option<bool>,
    /// Run only the cases of a report that failed, have changed, were broken or inconclusive, with the options of that run
    #[arg(long, value_name = "REPORT", conflicts_with = "paths")]
    pub rerun_failed: Option<PathBuf>,
    /// Run again whenever a file changes: the cases of changed scenarios, or all cases after another change
    #[arg(long, conflicts_with_all = ["rerun_failed", "accept"])]
    pub watch: bool,
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
    /// Write a report, as `FORMAT=PATH`: json, json-full, html, junit, markdown, github, gitlab, sarif, badge,
    /// badge-endpoint or durations; repeatable. Without a path, or with `-`, it is written to standard output, and the text for people
    /// to standard error
    #[arg(long, value_name = "FORMAT[=PATH]")]
    pub report: Vec<ReportTo>,
    /// How to decide disputed questions: `default`, `rfc9110`, `litellm-docs`, `strict`, or a file [default: default]
    #[arg(long, value_name = "NAME|FILE", env = "UPFAULT_POLICY")]
    pub policy: Option<String>,
    /// Snapshot folder [default: snapshots]
    #[arg(long, value_name = "DIR", env = "UPFAULT_SNAPSHOTS")]
    pub snapshots: Option<PathBuf>,
    /// What to print.
    #[command(flatten)]
    pub output: OutputArgs,
    /// The proxy of the report that `--rerun-failed` names.
    #[arg(skip)]
    pub tested_before: Option<ProxyReport>,
    /// API key for a running proxy (with a URL) [default: the one in the folder of `--rendered`]
    #[arg(long, value_name = "KEY", env = "UPFAULT_PROXY_KEY", hide_env_values = true)]
    pub proxy_key: Option<String>,
    /// Folder that `upfault proxy render --to FOLDER` wrote for the running proxy (with a URL)
    #[arg(long, value_name = "FOLDER", env = "UPFAULT_RENDERED")]
    pub rendered: Option<PathBuf>,
    /// Address of the mock providers [default: a free port on loopback; with a URL: the one in the folder of `--rendered`]
    #[arg(long, value_name = "ADDR", env = "UPFAULT_LISTEN", value_parser = listen_address)]
    pub listen: Option<std::net::SocketAddr>,
}

/// Options that say what to print.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct OutputArgs {
    /// Which failing cases to print in full: the first of each kind, all, or none [default: first; with -v: all]
    #[arg(long, value_name = "WHICH", value_enum)]
    pub failure_output: Option<FailureOutput>,
    /// -v lists every case and the reasons of each group; -vv shows passing cases in full too
    #[arg(long, short, action = ArgAction::Count, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Print only the last lines: failing cases, counts and the next step
    #[arg(long, short)]
    pub quiet: bool,
}

/// Whether `spec` is the URL of a running proxy.
pub(super) fn is_url(spec: &str) -> bool {
    let begins =
        |scheme: &str| spec.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    begins("http://") || begins("https://")
}
