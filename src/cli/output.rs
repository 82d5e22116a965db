//! What a command prints, by its options and the settings.

use clap::{ArgAction, Args as ClapArgs};

use super::{context::CliContext, settings::Settings};
use crate::report::{FailureOutput, TerminalSettings, Verbosity};

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

impl OutputArgs {
    /// How to print a run: by the options, else by the settings file, else the defaults.
    pub(super) fn settings(&self, context: &CliContext, chosen: &Settings) -> TerminalSettings {
        let verbosity = Verbosity::chosen(self.quiet, self.verbose).or(chosen.verbosity).unwrap_or_default();
        // A reader who asks for more wants every failing case too.
        let failures =
            if verbosity >= Verbosity::Verbose { FailureOutput::All } else { FailureOutput::First };
        TerminalSettings {
            color: context.color_out,
            width: context.width,
            verbosity,
            failures: self.failure_output.or(chosen.failure_output).unwrap_or(failures),
            strict: false,
        }
    }
}
