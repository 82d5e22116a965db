//! What a command prints, by its options and the settings.

use super::{context::CliContext, run_args::OutputArgs, settings::Settings};
use crate::report::{FailureOutput, TerminalSettings, Verbosity};

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
