//! The command line of `upfault matrix`, as clap parses it.

use clap::{Args as ClapArgs, value_parser};

use super::{report_to::report_target, run_args::FILTER_HELP};
use crate::report::{MatrixFormat, ReportTarget};

/// Options of `upfault matrix`.
#[derive(Debug, ClapArgs)]
#[command(after_help = MATRIX_EXIT_CODES)]
pub(crate) struct MatrixArgs {
    /// The gateways: as `--proxy` of `upfault run` takes them (`litellm`, `litellm@1.108.7`, `nginx`, a folder with a
    /// proxy.yaml), or JSON reports of earlier runs
    #[arg(required = true, value_name = "PROXY")]
    pub gateways: Vec<String>,
    /// Only cases that match
    #[arg(long, value_name = "EXPR", long_help = FILTER_HELP)]
    pub filter: Option<String>,
    /// How often a case that breaks a required rule runs. It counts only if it breaks the rule each time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = value_parser!(u16).range(1..=20))]
    pub runs: u16,
    /// How to decide disputed questions: `default`, `rfc9110`, `litellm-docs`, `strict`, or a file [default: default]
    #[arg(long, value_name = "NAME|FILE", env = "UPFAULT_POLICY")]
    pub policy: Option<String>,
    /// Write the matrix: `html=PATH` or `markdown=PATH`; repeatable. Without a path, or with `-`, it is written to standard
    /// output, and the text for people to standard error
    #[arg(long, value_name = "FORMAT[=PATH]")]
    pub report: Vec<MatrixTo>,
    /// List the rules that no gateway breaks, and the recommended rules
    #[arg(long, short)]
    pub verbose: bool,
    /// Maximum concurrent cases [default: adapts to the speed of the gateway]
    #[arg(long, value_name = "N", env = "UPFAULT_JOBS", value_parser = value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Seed of all random choices [default: 0]
    #[arg(long, value_name = "N", env = "UPFAULT_SEED")]
    pub seed: Option<u64>,
}

const MATRIX_EXIT_CODES: &str = "\
The gateways run one after the other. The embedded proxy, which is known to be correct, always runs first, as a
control: where it breaks a rule too, nothing is claimed about the others.

Exit codes:
    0  the matrix is complete, whatever it says about the gateways
    2  invalid usage
    3  a gateway could not be installed, started or kept running; the matrix says so
    4  upfault itself failed
  130  interrupted";

/// `FORMAT=PATH`, or `FORMAT` for standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MatrixTo {
    /// The format.
    pub format: MatrixFormat,
    /// Where to write it.
    pub target: ReportTarget,
}

impl std::str::FromStr for MatrixTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (format, target) = report_target(text)?;
        let format = MatrixFormat::named(format).ok_or_else(|| {
            format!("a matrix cannot be written as `{format}`; the formats are `html`, `markdown`")
        })?;
        Ok(Self { format, target })
    }
}
