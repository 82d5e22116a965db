//! The options of `upfault explain`.

use clap::Args as ClapArgs;

use super::{report_to::ReportTo, run_args::OutputArgs};
use crate::scenario::Api;

/// Options of `upfault explain`.
#[derive(Debug, ClapArgs)]
pub(crate) struct ExplainArgs {
    /// A scenario (`limits/rate-limit`, a case id or a file), a provider (`anthropic`), an error of a provider
    /// (`anthropic/overloaded`, `anthropic/529`), a rule (`headers.retry-after`), `rules` for all rules, a warning of
    /// `check` (`fault-after-end`), `warnings` for all of them, `policies` for the disputed questions, or a JSON report to
    /// judge again
    pub what: String,
    /// For a provider: one of its errors, by its name, status, type or code
    pub error: Option<String>,
    /// For an error: the API that the caller uses [default: the provider's own chat API]
    #[arg(long, value_name = "API")]
    pub api: Option<Api>,
    /// For a report: judge it by this policy (a name, a policy file or an upfault.toml) [default: the policy of its run]
    #[arg(long, value_name = "NAME|FILE")]
    pub policy: Option<String>,
    /// For a report: write the new judgement, as `upfault run --report` does
    #[arg(long, value_name = "FORMAT[=PATH]")]
    pub report: Vec<ReportTo>,
    /// How to print a report.
    #[command(flatten, next_help_heading = "Options for a report")]
    pub output: OutputArgs,
}
