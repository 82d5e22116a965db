//! The command line of `upfault compare`, as clap parses it.

use clap::{Args as ClapArgs, ValueEnum};

use super::{report_to::report_target, run_args::FILTER_HELP};
use crate::report::{ComparisonFormat, ReportTarget};

/// Options of `upfault compare`.
#[derive(Debug, ClapArgs)]
#[command(after_long_help = COMPARE_HELP)]
pub(crate) struct CompareArgs {
    /// Two or more sides, oldest first. Each is a JSON report, or a proxy that upfault runs (`litellm@1.108.7`)
    #[arg(required = true, num_args = 2.., value_name = "SIDE")]
    pub sides: Vec<String>,
    /// Only cases that match. If at most 3 match, each fact of both sides and the wire are shown
    #[arg(long, value_name = "EXPR", long_help = FILTER_HELP)]
    pub filter: Option<String>,
    /// The differences that exit with 1
    #[arg(long, value_enum, default_value_t = FailOn::Worse, value_name = "WHEN")]
    pub fail_on: FailOn,
    /// Exit with 1 if more than N cases of a side are inconclusive [default: 5]
    #[arg(long, value_name = "N")]
    pub allow_inconclusive: Option<usize>,
    /// How to decide disputed questions, on all sides: `default`, `rfc9110`, `litellm-docs`, `strict`, or a file
    /// [default: default]
    #[arg(long, value_name = "NAME|FILE", env = "UPFAULT_POLICY")]
    pub policy: Option<String>,
    /// Write the comparison: `json=PATH` or `markdown=PATH`; repeatable. Without a path, or with `-`, it is written to
    /// standard output, and the text for people to standard error
    #[arg(long, value_name = "FORMAT[=PATH]")]
    pub report: Vec<ComparisonTo>,
    /// List all causes, and the cases and all changes of each
    #[arg(long, short)]
    pub verbose: bool,
    /// Maximum concurrent cases [default: adapts to the speed of the proxy]
    #[arg(long, value_name = "N", env = "UPFAULT_JOBS", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Seed of all random choices [default: 0]
    #[arg(long, value_name = "N", env = "UPFAULT_SEED")]
    pub seed: Option<u64>,
}

const COMPARE_HELP: &str = "\
A proxy can be compared with itself in another mode. After its name, write a comma and an environment
variable, or a YAML file that is merged over its configuration:
  upfault compare litellm@1.108.7 litellm@1.108.7,LITELLM_RUST=1
  upfault compare litellm@1.108.7 litellm@1.108.7,overlay.yaml

Exit codes:
    0  nothing is worse
    1  a required rule is newly broken in at least one case (--fail-on changes this),
       or too many cases are inconclusive";

/// The differences that exit with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// A required rule is newly broken.
    Worse,
    /// Anything that callers notice differs.
    Different,
    /// None.
    Never,
}

/// `FORMAT=PATH`, or `FORMAT` for standard output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ComparisonTo {
    /// The format.
    pub format: ComparisonFormat,
    /// Where to write it.
    pub target: ReportTarget,
}

impl std::str::FromStr for ComparisonTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (format, target) = report_target(text)?;
        let format = ComparisonFormat::named(format).ok_or_else(|| {
            format!("a comparison cannot be written as `{format}`; the formats are `json`, `markdown`")
        })?;
        Ok(Self { format, target })
    }
}
