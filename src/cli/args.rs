//! What people write on the command line, as they wrote it.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use crate::serve::HostName;

/// Tests what an LLM gateway tells its callers when a provider fails.
#[derive(Debug, Parser)]
#[command(name = "upfault", version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
    /// The project's settings; `upfault.toml` here or in the nearest folder above where not given
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Read no settings
    #[arg(long, global = true)]
    pub no_config: bool,
}

const EXIT_CODES: &str = "\
Exit codes: 0 nothing new, 1 findings or changes, 2 usage or a file that does not load,
3 the proxy could not be installed, started or kept running, 4 upfault itself broke, 130 interrupted.";

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenarios against a proxy and judge what it tells its callers
    Run(RunArgs),
    /// Serve the mock providers alone, with a control API, for any client or test suite
    Serve(ServeArgs),
    /// Have every fault prove itself on a raw connection, without a proxy
    Selftest(SelftestArgs),
    /// Check scenario files, proxy definitions (folders with a proxy.yaml) and settings (upfault.toml), offline
    Check(PathArgs),
    /// List the cases that would run
    List(SelectArgs),
    /// Print what a scenario does on the wire, or why a rule exists
    Explain(ExplainArgs),
    /// Accept or reject pending snapshots
    Review(ReviewArgs),
    /// Show, install and examine proxies
    Proxy {
        /// What to do with them.
        #[command(subcommand)]
        command: ProxyCommand,
    },
    /// The embedded proxy in a process of its own; a run starts it for defects that stop a process
    #[command(hide = true)]
    Gateway(GatewayArgs),
    /// Print a JSON Schema
    Schema {
        /// Of what.
        #[arg(value_enum, default_value_t = SchemaOf::Scenario)]
        of: SchemaOf,
    },
}

/// Scenario files and folders.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct PathArgs {
    /// Scenario files or folders, or names as `list` shows them (`limits`, `limits/rate-limit`); all where none is
    /// given, or those that upfault.toml names
    pub paths: Vec<PathBuf>,
}

/// Which cases.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct SelectArgs {
    /// Where scenarios come from.
    #[command(flatten)]
    pub paths: PathArgs,
    /// Only cases that match, for example `stream/* & !tag:mid-stream` (see `upfault list --help`)
    #[arg(long, value_name = "EXPR", long_help = FILTER_HELP)]
    pub filter: Option<String>,
    /// Only the K-th of N parts of the cases, for example `1/4`
    #[arg(long, value_name = "K/N")]
    pub shard: Option<Shard>,
}

const FILTER_HELP: &str = "\
Only cases that match the expression:
  limits/*            a case id, `*` stands for anything
  case:limits/a       exactly this case; case:\"a b\" for ids with blanks or &|!()
  tag:stream          a tag of the scenario
  level:required      the scenario's level
  provider:azure      who stands behind the proxy
  api:cohere/chat     what the caller calls
  stream, plain       whether the caller asks for a stream
  !A, A & B, A | B, (A)";

/// One of several equal parts of the cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub k: usize,
    /// How many there are.
    pub n: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_once('/')
            .and_then(|(k, n)| Some(Self { k: k.parse().ok()?, n: n.parse().ok()? }))
            .filter(|shard| (1..=shard.n).contains(&shard.k))
            .ok_or_else(|| "write K/N with K from 1 to N, for example `1/4`".to_owned())
    }
}

/// For `upfault run`.
#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    /// Which cases.
    #[command(flatten)]
    pub select: SelectArgs,
    /// The proxy: `builtin` (where not given), `builtin:DEFECT`, NAME[@VERSION], a folder with a proxy.yaml, or the URL of a running one
    #[arg(long, value_name = "PROXY", env = "UPFAULT_PROXY")]
    pub proxy: Option<String>,
    /// Accept what is seen as the new snapshots
    #[arg(long)]
    pub accept: bool,
    /// Known findings fail too
    #[arg(long)]
    pub strict: bool,
    /// Exit with 1 if more cases than these are inconclusive; 5 where not given
    #[arg(long, value_name = "N")]
    pub allow_inconclusive: Option<usize>,
    /// Cases in flight at the most; left to the proxy's own pace where not given
    #[arg(long, value_name = "N", env = "UPFAULT_JOBS", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// The seed of everything random; 0 where not given
    #[arg(long, value_name = "N", env = "UPFAULT_SEED")]
    pub seed: Option<u64>,
    /// Write a report to a file: `json=PATH`
    #[arg(long, value_name = "FORMAT=PATH")]
    pub report: Vec<ReportTo>,
    /// How disputed questions are judged: `default` (where not given), `rfc9110`, `litellm-docs`, `strict`, or a file
    #[arg(long, value_name = "NAME|FILE", env = "UPFAULT_POLICY")]
    pub policy: Option<String>,
    /// Another folder of snapshots
    #[arg(long, value_name = "DIR", env = "UPFAULT_SNAPSHOTS")]
    pub snapshots: Option<PathBuf>,
    /// List passing cases too, and show every other one in full
    #[arg(long, short)]
    pub verbose: bool,
    /// The key that callers show to a running proxy (with a URL)
    #[arg(long, value_name = "KEY", env = "UPFAULT_PROXY_KEY", hide_env_values = true)]
    pub proxy_key: Option<String>,
    /// Where the mock upstreams listen; a free loopback port where not given
    #[arg(long, value_name = "ADDR", env = "UPFAULT_LISTEN")]
    pub listen: Option<std::net::SocketAddr>,
}

/// `FORMAT=PATH`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportTo {
    /// The format.
    pub format: ReportFormat,
    /// Where it goes.
    pub path: PathBuf,
}

/// A format of report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// `schema/report.schema.json` says what is in it.
    Json,
}

impl std::str::FromStr for ReportTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (format, path) =
            text.split_once('=').ok_or("write FORMAT=PATH, for example `json=report.json`")?;
        let format = match format {
            "json" => ReportFormat::Json,
            other => return Err(format!("there is no report format `{other}`; possible is `json`")),
        };
        if path.is_empty() {
            return Err("the path is missing after `=`".to_owned());
        }
        Ok(Self { format, path: path.into() })
    }
}

/// For `upfault serve`.
#[derive(Debug, ClapArgs)]
pub struct ServeArgs {
    /// Scenario files or folders that can be armed by their names, on top of all that `list` shows
    pub paths: Vec<PathBuf>,
    /// Where to listen; the port 0 takes a free one, and the first line of the output tells which
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub listen: std::net::SocketAddr,
    /// Another host name by which the control API may be reached, for example that of a container; may be
    /// repeated
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<HostName>,
}

/// For `upfault selftest`.
#[derive(Debug, ClapArgs)]
pub struct SelftestArgs {
    /// Only exhibits that speak of this, for example `reset` or `tls: *alert`; `*` stands for anything
    #[arg(long, value_name = "WORD")]
    pub filter: Option<String>,
    /// Write a report to a file: `json=PATH`
    #[arg(long, value_name = "FORMAT=PATH")]
    pub report: Vec<ReportTo>,
    /// Show every claim, and not only those that did not hold
    #[arg(long, short)]
    pub verbose: bool,
    /// The seed of everything random
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// For `upfault explain`.
#[derive(Debug, ClapArgs)]
pub struct ExplainArgs {
    /// A scenario (`limits/rate-limit`, a case id, or a file), a rule (`headers.retry-after`), `rules` for a list of them,
    /// `policies` for the disputed questions, or a JSON report, which is judged again
    pub what: String,
    /// For a report: judge it by this policy, a name or a file (`upfault.toml` too), instead of its own
    #[arg(long, value_name = "NAME|FILE")]
    pub policy: Option<String>,
    /// For a report: write what it says by that policy to a file, `json=PATH`
    #[arg(long, value_name = "FORMAT=PATH")]
    pub report: Vec<ReportTo>,
}

/// For `upfault gateway`.
#[derive(Debug, ClapArgs)]
pub struct GatewayArgs {
    /// What the run has written for it
    #[arg(long)]
    pub config: PathBuf,
    /// Where it listens, on loopback
    #[arg(long)]
    pub port: u16,
}

/// For `upfault review`.
#[derive(Debug, ClapArgs)]
pub struct ReviewArgs {
    /// Accept all without asking
    #[arg(long, conflicts_with = "reject")]
    pub accept: bool,
    /// Reject all without asking
    #[arg(long)]
    pub reject: bool,
    /// Another folder of snapshots
    #[arg(long, value_name = "DIR", env = "UPFAULT_SNAPSHOTS")]
    pub snapshots: Option<PathBuf>,
}

/// What to do with proxies.
#[derive(Debug, Subcommand)]
pub enum ProxyCommand {
    /// List the proxies that can be tested, and the defects of the embedded one
    List,
    /// Show a definition
    Show {
        /// NAME[@VERSION] or a folder
        proxy: String,
    },
    /// Install a proxy into the cache
    Install {
        /// NAME[@VERSION] or a folder
        proxy: String,
    },
    /// Print the configuration of a proxy for scenarios
    Render {
        /// NAME[@VERSION] or a folder
        proxy: String,
        /// Which cases it is to know
        #[command(flatten)]
        select: SelectArgs,
        /// Where the mock upstreams will listen (give the same to `upfault run --listen`); 127.0.0.1:9400 where not given
        #[arg(long, value_name = "ADDR")]
        listen: Option<std::net::SocketAddr>,
        /// The seed that the run will have; 0 where not given
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
    },
    /// Look whether a proxy could be installed and started here
    Doctor {
        /// NAME[@VERSION] or a folder; every bundled one where not given
        proxy: Option<String>,
    },
}

/// Of what a schema is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// A scenario file
    Scenario,
    /// The JSON report
    Report,
    /// The JSON report of `upfault selftest`
    Selftest,
    /// A project's settings, `upfault.toml`
    Settings,
    /// The control API of `upfault serve`, as OpenAPI
    Openapi,
}
