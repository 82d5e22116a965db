//! The command line as clap parses it.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::{
    adopt_args::AdoptArgs, compare_args::CompareArgs, explain_args::ExplainArgs, fmt_args::FmtArgs,
    help_args::HelpArgs, list_args::ListArgs, listen::listen_address, matrix_args::MatrixArgs,
    new_args::NewArgs, record_args::RecordArgs, render_args::RenderArgs, report_to::ReportTo,
    run_args::OutputArgs, version::VERSION,
};
use crate::serve::{HostName, MockName};

pub(super) use super::run_args::{PathArgs, RunArgs, STORED_FILTER_HELP, SelectArgs};

/// Test what an LLM gateway reports to its callers when a provider fails.
#[derive(Debug, Parser)]
#[command(name = "upfault", version = VERSION, about, max_term_width = 100, after_help = AFTER_HELP, disable_help_subcommand = true)]
pub(crate) struct Args {
    /// The subcommand.
    #[command(subcommand)]
    pub command: CliCommand,
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// Settings file [default: the nearest upfault.toml in this folder or one above it]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Ignore upfault.toml
    #[arg(long, global = true)]
    pub no_config: bool,
}

const AFTER_HELP: &str = "\
Exit codes:
    0  nothing new
    1  a case fails or has changed, or too many cases are inconclusive
    2  invalid usage, or a file that does not load
    3  the proxy could not be installed, started or kept running
    4  upfault itself failed
  130  interrupted

Manual: `upfault help` lists its pages; `upfault help tutorial` is an introduction of ten minutes";

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The subcommand.
#[derive(Debug, Subcommand)]
pub(crate) enum CliCommand {
    /// Run scenarios against a proxy and judge what it reports to its callers
    Run(RunArgs),
    /// Test the models of your own configuration of LiteLLM, with mocks in place of its providers
    Adopt(AdoptArgs),
    /// Serve the mock providers and a control API, for any client or test suite
    Serve(ServeArgs),
    /// Pass traffic to a real provider, and write its failures as scenarios
    Record(RecordArgs),
    /// Verify the faults themselves on raw connections, without a proxy
    Selftest(SelftestArgs),
    /// Validate scenario files, proxy definitions (folders with a proxy.yaml) and upfault.toml
    Check(CheckArgs),
    /// Format scenario files: the order of keys, spaces, line endings and quotes; comments stay
    ///
    /// `upfault fmt -` formats standard input to standard output, for editors.
    Fmt(FmtArgs),
    /// List the cases that would run, their files, or the providers, errors, faults, rules and defects that upfault knows
    List(ListArgs),
    /// Join the reports of shards to the report of the whole run
    Merge(MergeArgs),
    /// Explain a scenario, a provider or its error, a rule or the policies, or judge a stored report again
    Explain(ExplainArgs),
    /// Compare versions or modes of a proxy: what changes for its callers
    Compare(CompareArgs),
    /// Run several gateways, and show which rules each of them breaks
    Matrix(MatrixArgs),
    /// Show cases of a stored report in full
    Show(ShowArgs),
    /// Write a bug report about a case, with steps that reproduce it
    Repro(ReproArgs),
    /// Accept or reject pending snapshots
    Review(ReviewArgs),
    /// Write a scenario: from an error, a fault, or evidence of a failure (`curl -i`, HAR, traceback, log)
    New(NewArgs),
    /// Create an upfault.toml, and copy the bundled baseline of a proxy into this folder
    Init(InitArgs),
    /// List, install and check proxies
    Proxy {
        /// The subcommand.
        #[command(subcommand)]
        command: ProxyCommand,
    },
    /// Show what upfault finds on this machine: its version, the cache, the project, and which proxies can run
    Doctor,
    /// Print a script that completes commands, options, scenarios, proxies and rules in a shell
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// The shell
        #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
        shell: String,
    },
    /// Print the manual page, or write the pages of all commands
    Man {
        /// Write the pages of all commands to this folder [default: print the page of upfault]
        #[arg(long, value_name = "FOLDER")]
        to: Option<PathBuf>,
    },
    /// Print the help of a command, or a page of the manual; without one, list both
    Help(HelpArgs),
    /// Run the embedded proxy as a process; `upfault run` uses this for defects that stop the process
    #[command(hide = true)]
    Gateway(GatewayArgs),
    /// Print a JSON Schema, or the OpenAPI document
    Schema {
        /// What the schema describes
        #[arg(value_enum, default_value_t = SchemaOf::Scenario)]
        of: SchemaOf,
    },
}

const COMPLETIONS_HELP: &str = "\
Add the line of your shell to its start-up file, so that the script fits the installed version:
  bash        source <(upfault completions bash)
  zsh         source <(upfault completions zsh)
  fish        upfault completions fish | source
  elvish      eval (upfault completions elvish | slurp)
  powershell  upfault completions powershell | Out-String | Invoke-Expression";

/// Options of `upfault check`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CheckArgs {
    /// What to check.
    #[command(flatten)]
    pub paths: PathArgs,
    /// Correct mistakes in scenario files for which no decision is needed: misspelled names, missing brackets and quotes,
    /// tabs
    #[arg(long)]
    pub fix: bool,
}

/// Options of `upfault show`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ShowArgs {
    /// Report that `upfault run --report json=PATH` wrote
    pub report: PathBuf,
    /// Only cases that match, for example `limits/* & stream`, or `verdict:known & rule:headers.*` (details: `--help`)
    #[arg(long, value_name = "EXPR", long_help = STORED_FILTER_HELP)]
    pub filter: Option<String>,
    /// Case ids as `upfault list` prints them; `*` matches any text [default: the cases that failed]
    pub cases: Vec<String>,
}

/// Options of `upfault merge`.
#[derive(Debug, ClapArgs)]
pub(crate) struct MergeArgs {
    /// The reports of all shards, which `upfault run --shard K/N --report json=PATH` wrote
    #[arg(required = true, value_name = "REPORT")]
    pub reports: Vec<PathBuf>,
    /// Write a report of the whole run, as `upfault run --report` does; repeatable
    #[arg(long, value_name = "FORMAT[=PATH]")]
    pub report: Vec<ReportTo>,
    /// What to print.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options of `upfault repro`.
#[derive(Debug, ClapArgs)]
#[command(after_help = REPRO_EXIT_CODES)]
pub(crate) struct ReproArgs {
    /// Case id as `upfault list` prints it
    pub case: String,
    /// Proxy to run the case with: `builtin:DEFECT`, NAME[@VERSION], or a folder with a proxy.yaml [default: as for `run`]
    #[arg(long, value_name = "PROXY", env = "UPFAULT_PROXY")]
    pub proxy: Option<String>,
    /// How to decide disputed questions, as for `run` [default: the policy of upfault.toml, else `default`]
    #[arg(long, value_name = "NAME|FILE", env = "UPFAULT_POLICY")]
    pub policy: Option<String>,
    /// Take the case from a report that `upfault run --report json=PATH` wrote, instead of running it
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Afterwards keep the proxy and a mock of the provider running until Ctrl-C, for requests by hand
    #[arg(long, conflicts_with = "report")]
    pub keep: bool,
    /// File for the bug report [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

const REPRO_EXIT_CODES: &str = "\
Exit codes:
    0  the proxy keeps the contract in this case: there is nothing to report
    1  the bug report is written, or upfault could not decide
    2  invalid usage, or the proxy cannot be configured the way the case needs
    3  the proxy could not be installed, started or kept running
    4  upfault itself failed
  130  interrupted before the case had a result";

/// Options of `upfault serve`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    /// Scenario files or folders that clients can arm by name, in addition to those that `upfault list` prints
    pub paths: Vec<PathBuf>,
    /// Address to listen on: `4777`, `localhost:4777` or IP:PORT; port 0 means a free port, which the first line of the output
    /// names
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0", value_parser = listen_address)]
    pub listen: std::net::SocketAddr,
    /// Host name under which clients may reach the control API, for example the name of a container; repeatable
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<HostName>,
    /// Load the files again whenever one changes: what clients arm by name and the mocks of `--arm` follow
    #[arg(long)]
    pub watch: bool,
    /// Arm a mock at http://ADDRESS/NAME as long as the server runs; FILE has the form of a request to `POST
    /// /_upfault/arm`; repeatable
    #[arg(long, value_name = "NAME=FILE")]
    pub arm: Vec<ArmFrom>,
    /// Print the URLs as one line of JSON, for programs that start the server
    #[arg(long)]
    pub json: bool,
}

/// `NAME=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ArmFrom {
    /// The first segment of the mock's URLs.
    pub name: MockName,
    /// What the mock does.
    pub file: PathBuf,
}

impl std::str::FromStr for ArmFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, file)) if !file.is_empty() => Ok(Self { name: name.parse()?, file: file.into() }),
            _ => Err("write NAME=FILE, for example `limits=limits.json`".to_owned()),
        }
    }
}

/// Options of `upfault selftest`.
#[derive(Debug, ClapArgs)]
pub(crate) struct SelftestArgs {
    /// Only faults whose name or family contains this text, for example `reset` or `tls: *alert`; `*` matches any text
    #[arg(long, value_name = "WORD")]
    pub filter: Option<String>,
    /// Write a report to a file: `json=PATH`
    #[arg(long, value_name = "json=PATH")]
    pub report: Vec<ReportTo>,
    /// Show every claim, not only those that did not hold
    #[arg(long, short)]
    pub verbose: bool,
    /// Seed of all random choices
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// Options of `upfault gateway`.
#[derive(Debug, ClapArgs)]
pub(crate) struct GatewayArgs {
    /// The configuration that the run wrote
    #[arg(long)]
    pub config: PathBuf,
    /// The port on loopback
    #[arg(long)]
    pub port: u16,
}

/// Options of `upfault init`.
#[derive(Debug, ClapArgs)]
pub(crate) struct InitArgs {
    /// The proxy to test: `builtin`, NAME[@VERSION], a folder with a proxy.yaml, or the URL of a running proxy
    #[arg(long, value_name = "PROXY", default_value = "litellm")]
    pub proxy: String,
    /// Replace an existing upfault.toml and existing snapshots of the proxy
    #[arg(long)]
    pub force: bool,
}

/// Options of `upfault review`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ReviewArgs {
    /// Only these: names as `upfault list` prints them (`limits`, `limits/rate-limit`, a case id), snapshot files or folders
    /// [default: all]
    pub paths: Vec<String>,
    /// Only cases in which the findings of this rule are new or gone
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// Accept all of them without asking
    #[arg(long, conflicts_with = "reject")]
    pub accept: bool,
    /// Reject all of them without asking
    #[arg(long)]
    pub reject: bool,
    /// Snapshot folder [default: snapshots]
    #[arg(long, value_name = "DIR", env = "UPFAULT_SNAPSHOTS")]
    pub snapshots: Option<PathBuf>,
}

/// Subcommands of `upfault proxy`.
#[derive(Debug, Subcommand)]
pub(crate) enum ProxyCommand {
    /// List the proxies that upfault can test, and the defects of the embedded proxy
    List,
    /// Print the definition of a proxy
    Show {
        /// NAME[@VERSION] or a folder
        proxy: String,
    },
    /// List the releases that the package index offers: which can be installed, and which upfault has judged
    Versions {
        /// NAME or a folder
        proxy: String,
        /// List every release, and not only the newest one of each series; does not check which can be installed
        #[arg(long)]
        all: bool,
        /// How many series to list, the newest first
        #[arg(long, value_name = "N", default_value_t = 8, conflicts_with = "all")]
        series: usize,
    },
    /// Install a proxy into the cache
    Install {
        /// NAME[@VERSION] or a folder
        proxy: String,
    },
    /// Configure a proxy that you start yourself, for a run with `--proxy URL`
    Render(RenderArgs),
    /// Remove installations from the cache: those that no bundled definition and not the current project names
    ///
    /// All projects of this user share the cache, but only the definitions and the upfault.toml of the current project are read.
    /// A run of another project installs again what it needs.
    Clean {
        /// Remove all of them; a run installs its proxy again
        #[arg(long)]
        all: bool,
        /// Only say what would be removed now
        #[arg(long)]
        dry_run: bool,
    },
    /// Check whether this machine can install and start a proxy
    Doctor {
        /// NAME[@VERSION] or a folder [default: every bundled proxy]
        proxy: Option<String>,
    },
}

/// What a schema describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// A scenario file
    Scenario,
    /// The JSON report
    Report,
    /// The JSON report of `upfault compare`
    Comparison,
    /// The JSON report of `upfault selftest`
    Selftest,
    /// A proxy definition, `proxy.yaml`
    Proxy,
    /// A project's settings, `upfault.toml`
    Settings,
    /// The control API of `upfault serve`, as OpenAPI
    Openapi,
}
